-- When a message or call may go, in one place: the sender asks whether the window is open, people when it opens.
-- Times and days are the recipient's own; the law's 08:00 to 21:00 hold whatever the tenant's window says.
create function send_window_open(at timestamptz, zone text, opens time, closes time, days smallint[]) returns boolean
    language sql immutable parallel safe
    return (at at time zone zone)::time >= greatest(opens, time '08:00')
       and (at at time zone zone)::time < least(closes, time '21:00')
       and extract(isodow from at at time zone zone)::smallint = any (days);

-- The first moment from `at` on at which it is open; null when it never is.
create function send_window_next(at timestamptz, zone text, opens time, closes time, days smallint[]) returns timestamptz
    language sql immutable parallel safe
    return (select min(greatest(at, start))
              from generate_series(0, 7) as ahead,
                   lateral (select (date_trunc('day', at at time zone zone) + make_interval(days => ahead)
                                    + greatest(opens, time '08:00')) at time zone zone as start) as morning
             where send_window_open(greatest(at, start), zone, opens, closes, days));
