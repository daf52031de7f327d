-- The provider whose outage failed the block: its first answer makes the block due. Null: the block waits for its time.
alter table timers add column waits_for text collate "C";
