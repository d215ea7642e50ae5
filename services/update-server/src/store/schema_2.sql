-- Version 2: people who log in through an issuer.
-- A server of version 1 that runs on while another brings the tables here reads and writes them as before: it knows nothing of
-- the new columns, which have a default. One that starts refuses (it says that the tables are newer). So: reader 1/writer 2 and
-- reader 2/writer 1 work until the older one ends; going back needs a backup.
ALTER TABLE users ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX users_by_subject ON users (subject);
ALTER TABLE tokens ADD COLUMN session BIGINT NOT NULL DEFAULT 0;
