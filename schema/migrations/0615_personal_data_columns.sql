-- What an erasure does with each column that can hold a text. A migration that adds a column adds its row here.
insert into personal_data (table_name, column_name, treatment)
select 'actors', unnest(array['id', 'kind', 'name', 'role', 'tenant_id']), 'none'
union all select 'admission_limits', unnest(array['tenant_id']), 'none'
union all select 'admissions', unnest(array['event_id', 'run_id', 'tenant_id']), 'none'
union all select 'api_keys', unnest(array['actor_id', 'id', 'name', 'prefix', 'role', 'scopes', 'secret_hash', 'tenant_id']),
    'none'
union all select 'attempt_logs', unnest(array['agent', 'approved_by', 'block_id', 'campaign_id', 'campaign_name', 'channel',
    'context', 'error_code', 'error_message', 'id', 'lead_id', 'metadata', 'provider', 'provider_message_id',
    'provider_status', 'queue_id', 'response_class', 'response_text', 'run_id', 'status', 'template_category',
    'template_id', 'tenant_id']), 'deleted'
union all select 'automation_triggers', unnest(array['automation_id', 'cause', 'tenant_id', 'trigger_key']), 'none'
union all select 'automation_watch', unnest(array['automation_id', 'state', 'tenant_id']), 'none'
union all select 'automations', unnest(array['blueprint_id', 'catch_up', 'conditions_all', 'conditions_any', 'cron', 'id',
    'name', 'overlap', 'spec', 'tenant_id', 'time_zone', 'trigger']), 'none'
union all select 'blueprint_states', unnest(array['id', 'tenant_id']), 'none'
union all select 'blueprints', unnest(array['created_by', 'id', 'name', 'stages', 'tenant_id']), 'none'
union all select 'contacts', unnest(array['email', 'external_id', 'first_name', 'id', 'last_name', 'lead_id', 'linkedin_url',
    'phone', 'seniority', 'source', 'tenant_id', 'title']), 'deleted'
union all select 'dialer_queue', unnest(array['block_id', 'campaign_id', 'company_name', 'contact_name', 'context',
    'error_code', 'from_number', 'id', 'lead_id', 'phone', 'provider', 'provider_call_id', 'run_id', 'send_key', 'status',
    'tenant_id', 'time_zone', 'time_zones']), 'deleted'
union all select 'early_reports', unnest(array['channel', 'error', 'provider_id', 'provider_status', 'status', 'tenant_id']),
    'deleted'
union all select 'erasures', unnest(array['person_sealed']), 'sealed'
union all select 'erasures', unnest(array['error', 'id', 'lead_ids', 'named_by', 'requested_by', 'status', 'tenant_id',
    'waiting_for']), 'none'
union all select 'history_reads', unnest(array['actor', 'stream_id', 'tenant_id', 'what']), 'none'
union all select 'import_mappings', unnest(array['mapping', 'tenant_id']), 'none'
union all select 'import_starts', unnest(array['command', 'file', 'run_id', 'tenant_id']), 'none'
union all select 'imports', unnest(array['preview']), 'cleared'
union all select 'imports', unnest(array['checksum', 'content_type', 'created_by', 'error', 'file_name', 'id', 'layout',
    'object_path', 'status', 'summary', 'tenant_id']), 'none'
union all select 'lead_keys', unnest(array['key', 'lead_id', 'root_input_id', 'tenant_id']), 'deleted'
union all select 'leads', unnest(array['company_name', 'contact_name', 'data', 'email', 'enrichment_status', 'id', 'phone',
    'priority', 'root_input_id', 'sector_id', 'sic_code', 'state', 'status', 'tags', 'tenant_id']), 'deleted'
union all select 'legacy_objects', unnest(array['checksum', 'legacy_key', 'object_path', 'tenant_id']), 'none'
union all select 'number_holds', unnest(array['body', 'decided_by', 'decision', 'lead_id', 'number', 'rule', 'tenant_id',
    'webhook_id']), 'deleted'
union all select 'object_versions', unnest(array['now_checksum', 'now_path', 'object_path', 'tenant_id']), 'none'
union all select 'provider_calls', unnest(array['call_id', 'lead_id', 'provider', 'request_digest', 'root_run_id', 'stage',
    'tenant_id']), 'deleted'
union all select 'provider_credentials', unnest(array['provider', 'sealed', 'tenant_id']), 'none'
union all select 'provider_days', unnest(array['account', 'provider', 'tenant_id']), 'none'
union all select 'provider_grants', unnest(array['account', 'provider', 'tenant_id']), 'none'
union all select 'provider_limits', unnest(array['provider', 'tenant_id']), 'none'
union all select 'provider_minutes', unnest(array['provider', 'tenant_id']), 'none'
union all select 'provider_prices', unnest(array['operation', 'provider']), 'none'
union all select 'provider_results', unnest(array['lead_id', 'outcome', 'paid_by', 'provider', 'request_digest', 'root_run_id',
    'stage', 'tenant_id']), 'deleted'
union all select 'provider_waiting', unnest(array['account', 'provider', 'tenant_id']), 'none'
union all select 'provider_weather', unnest(array['account', 'provider']), 'none'
union all select 'read_tables', unnest(array['name']), 'none'
union all select 'read_versions', unnest(array['rebuilding', 'version']), 'none'
union all select 'restored_sends', unnest(array['contact', 'send_key']), 'hashed'
union all select 'restored_sends', unnest(array['journal', 'tenant_id']), 'none'
union all select 'retention_rules', unnest(array['domain', 'tenant_id']), 'none'
union all select 'saved_views', unnest(array['id', 'key_id', 'name', 'page', 'query', 'tenant_id']), 'none'
union all select 'scoring_profiles', unnest(array['created_by', 'factors', 'name', 'tenant_id']), 'none'
union all select 'sectors', unnest(array['id', 'legacy_bucket_id', 'name', 'sic_codes', 'slug', 'state', 'tenant_id']), 'none'
union all select 'send_countries', unnest(array['countries', 'tenant_id']), 'none'
union all select 'send_settings', unnest(array['days', 'holidays', 'tenant_id', 'voice_url']), 'none'
union all select 'sender_numbers', unnest(array['number', 'paused_code', 'provider', 'tenant_id']), 'none'
union all select 'sessions', unnest(array['id', 'key_id', 'secret_hash', 'tenant_id']), 'none'
union all select 'sms_queue', unnest(array['agent', 'approved_by', 'block_id', 'body', 'campaign_id', 'context', 'error_code',
    'from_number', 'id', 'lead_id', 'media_url', 'personality', 'provider', 'provider_message_id', 'run_id', 'send_key',
    'status', 'template_category', 'template_id', 'tenant_id', 'time_zone', 'time_zones', 'to_number']), 'deleted'
union all select 'suppressions', unnest(array['value']), 'hashed'
union all select 'suppressions', unnest(array['kind', 'origin', 'reason', 'rule', 'source', 'tenant_id', 'webhook_id']), 'none'
union all select 'templates', unnest(array['channel', 'checksum', 'created_by', 'id', 'name', 'object_path', 'tenant_id']),
    'none'
union all select 'tenant_keys', unnest(array['tenant_id', 'wrapped']), 'none'
union all select 'tenants', unnest(array['id', 'name', 'slug', 'status', 'tenant_id', 'time_zone']), 'none'
union all select 'timers', unnest(array['block_id', 'event_id', 'run_id', 'tenant_id', 'waits_for']), 'none'
union all select 'trace_batches', unnest(array['block_id', 'id', 'release', 'root_run_id', 'run_id', 'secret_hash',
    'signing_sealed', 'tenant_id']), 'none'
union all select 'trace_leads', unnest(array['batch_id', 'failure', 'lead_id', 'request_digest', 'root_run_id', 'tenant_id']),
    'deleted'
union all select 'trace_queues', unnest(array['lead_id', 'request_digest', 'root_run_id', 'tenant_id']), 'deleted'
union all select 'webhook_events', unnest(array['resolution']), 'cleared'
union all select 'webhook_events', unnest(array['checksum', 'class', 'external_id', 'id', 'kind', 'lead_id', 'object_path',
    'purpose', 'resolved_by', 'source', 'tenant_id', 'unread', 'verified_by']), 'none'
union all select 'webhook_tokens', unnest(array['created_by', 'id', 'purpose', 'secret_hash', 'signing_sealed', 'source',
    'tenant_id']), 'none';
