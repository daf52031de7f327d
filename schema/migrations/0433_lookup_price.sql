-- The list price of one number's line type at Twilio.
insert into provider_prices (provider, operation, valid_from, price_micros) values
    ('twilio', 'lookup', '2024-12-01 00:00:00+00', 8000)
on conflict do nothing;
