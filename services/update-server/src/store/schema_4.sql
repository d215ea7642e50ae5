-- Version 4: an index by group is led by the group. Led by the application, PostgreSQL took it for machines of one application that are
-- known by their ids, and read all of that application's, until it had statistics of a table that it had just seen filled.
-- Servers of older versions run on beside one of this version: they name no index. One that starts refuses.
DROP INDEX instances_by_group;
CREATE INDEX instances_by_group ON instances (group_id, app_id);
