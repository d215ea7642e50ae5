-- Version 3: no index holds when a machine was seen last, for every check would write it there too, and move it.
-- Servers of older versions run on beside one of this version: they name no index. One that starts refuses.
DROP INDEX instances_by_group;
CREATE INDEX instances_by_group ON instances (app_id, group_id);
