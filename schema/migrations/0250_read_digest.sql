-- Rows of a read table and a sum over their hashes, whatever their order: two versions of a table are compared by it.
-- Typed columns are hashed as they are, several times faster than the text of whole rows; json has no hash but its text's.
create function read_digest(t regclass, out rows bigint, out sum text) language plpgsql stable as $$
declare
    columns text;
begin
    select string_agg(quote_ident(attname) || case when atttypid = 'json'::regtype then '::text' else '' end, ', ' order by attname)
      into columns from pg_attribute where attrelid = t and attnum > 0 and not attisdropped and attgenerated = '';
    execute format('select count(*), coalesce(sum(hash_record_extended(row(%s), 0)::numeric), 0)::text from %s', columns, t)
       into rows, sum;
end
$$;
