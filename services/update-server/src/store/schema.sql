-- Version 1. The same text for SQLite and PostgreSQL; `{SERIAL}` is a number that counts up.
-- Times are milliseconds since 1970, truth values are 0 and 1.
CREATE TABLE settings (name TEXT PRIMARY KEY, number BIGINT NOT NULL);
INSERT INTO settings (name, number) VALUES ('generation', 1);

CREATE TABLE applications (
  id TEXT PRIMARY KEY, product_id TEXT UNIQUE, label TEXT NOT NULL, description TEXT NOT NULL, created_at BIGINT NOT NULL
);
CREATE TABLE packages (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
  version TEXT NOT NULL, arch BIGINT NOT NULL, kind BIGINT NOT NULL, origin TEXT NOT NULL, url TEXT NOT NULL, file TEXT NOT NULL,
  size BIGINT NOT NULL, sha1 TEXT NOT NULL, sha256 TEXT NOT NULL, metadata_size TEXT NOT NULL, metadata_signature TEXT NOT NULL,
  release_notes TEXT NOT NULL, description TEXT NOT NULL, required BIGINT NOT NULL, no_backoff BIGINT NOT NULL, is_delta BIGINT NOT NULL,
  created_at BIGINT NOT NULL, UNIQUE (app_id, version, arch)
);
CREATE TABLE package_files (
  package_id TEXT NOT NULL REFERENCES packages (id) ON DELETE CASCADE, position BIGINT NOT NULL, name TEXT NOT NULL, size BIGINT NOT NULL,
  sha1 TEXT NOT NULL, sha256 TEXT NOT NULL, required BIGINT NOT NULL, PRIMARY KEY (package_id, position)
);
CREATE TABLE channels (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
  label TEXT NOT NULL, arch BIGINT NOT NULL, color TEXT NOT NULL, package_id TEXT REFERENCES packages (id),
  publish BIGINT NOT NULL, upstream TEXT NOT NULL, created_at BIGINT NOT NULL, changed_at BIGINT NOT NULL,
  UNIQUE (app_id, label, arch)
);
CREATE TABLE channel_floors (
  channel_id TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE, package_id TEXT NOT NULL REFERENCES packages (id),
  reason TEXT NOT NULL, PRIMARY KEY (channel_id, package_id)
);
CREATE TABLE channel_blacklist (
  channel_id TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
  package_id TEXT NOT NULL REFERENCES packages (id) ON DELETE CASCADE, PRIMARY KEY (channel_id, package_id)
);
CREATE TABLE groups (
  app_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE, id TEXT NOT NULL,
  label TEXT NOT NULL, description TEXT NOT NULL, track TEXT NOT NULL, channel_id TEXT REFERENCES channels (id),
  policy TEXT NOT NULL, stopped_reason TEXT, resumed_at BIGINT NOT NULL, rolling_version TEXT, rolling_since BIGINT,
  created_at BIGINT NOT NULL, PRIMARY KEY (app_id, id)
);
CREATE TABLE instances (
  app_id TEXT NOT NULL, machine_id TEXT NOT NULL, group_id TEXT NOT NULL, track TEXT NOT NULL, version TEXT NOT NULL, arch BIGINT NOT NULL,
  oem TEXT NOT NULL, oem_version TEXT NOT NULL, aleph_version TEXT NOT NULL, alias TEXT NOT NULL, given_alias TEXT NOT NULL,
  ip TEXT NOT NULL, boot_id TEXT NOT NULL, install_source TEXT NOT NULL, status BIGINT NOT NULL, status_since BIGINT NOT NULL,
  update_version TEXT, granted_at BIGINT, error_code BIGINT, event_type BIGINT, event_result BIGINT, pin TEXT,
  first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, PRIMARY KEY (app_id, machine_id)
);
CREATE INDEX instances_by_group ON instances (app_id, group_id, last_seen);
CREATE TABLE leases (
  id {SERIAL}, app_id TEXT NOT NULL, group_id TEXT NOT NULL, machine_id TEXT NOT NULL, version TEXT NOT NULL,
  granted_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, ended_at BIGINT, outcome TEXT
);
CREATE INDEX leases_by_group ON leases (app_id, group_id, granted_at);
CREATE INDEX leases_open ON leases (app_id, group_id, expires_at) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX leases_of_machine ON leases (app_id, machine_id) WHERE ended_at IS NULL;
CREATE TABLE tallies (
  app_id TEXT NOT NULL, group_id TEXT NOT NULL, version TEXT NOT NULL, granted BIGINT NOT NULL, completed BIGINT NOT NULL,
  failed BIGINT NOT NULL, missing BIGINT NOT NULL, PRIMARY KEY (app_id, group_id, version)
);
CREATE TABLE events (
  id {SERIAL}, app_id TEXT NOT NULL, group_id TEXT NOT NULL, machine_id TEXT NOT NULL, at BIGINT NOT NULL,
  kind TEXT NOT NULL, event_type BIGINT, event_result BIGINT, error_code BIGINT, status BIGINT NOT NULL, version TEXT NOT NULL,
  update_version TEXT, oem TEXT NOT NULL, install_source TEXT NOT NULL
);
CREATE INDEX events_of_machine ON events (app_id, machine_id, at);
CREATE INDEX events_by_time ON events (app_id, group_id, at);
CREATE TABLE checks (
  app_id TEXT NOT NULL, group_id TEXT NOT NULL, resolution BIGINT NOT NULL, at BIGINT NOT NULL, version TEXT NOT NULL,
  count BIGINT NOT NULL, PRIMARY KEY (app_id, group_id, resolution, at, version)
);
CREATE TABLE activity (
  id {SERIAL}, at BIGINT NOT NULL, app_id TEXT NOT NULL, group_id TEXT, channel TEXT, machine_id TEXT, class BIGINT NOT NULL,
  severity BIGINT NOT NULL, version TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX activity_by_time ON activity (at);
CREATE TABLE audit (
  id {SERIAL}, at BIGINT NOT NULL, who TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, app_id TEXT, target TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE TABLE users (
  name TEXT PRIMARY KEY, hawk_key TEXT NOT NULL, created_at BIGINT NOT NULL
);
CREATE TABLE user_roles (
  user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE, app_id TEXT NOT NULL, role TEXT NOT NULL,
  PRIMARY KEY (user_name, app_id)
);
CREATE TABLE tokens (
  id TEXT PRIMARY KEY, user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE, label TEXT NOT NULL,
  secret_sha256 TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, last_used BIGINT
);
CREATE TABLE upstreams (id TEXT PRIMARY KEY, url TEXT NOT NULL, label TEXT NOT NULL);
