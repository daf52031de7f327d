-- A copy of a migrated object is looked up by its own key too.
create index legacy_objects_by_copy on legacy_objects (tenant_id, object_path) where object_path is not null;
