-- The member that a job is about, under whatever name: its removal takes the job along. NULL: none is known.
ALTER TABLE job ADD COLUMN member_id INTEGER; -- no reference, as in audit
UPDATE job SET member_id = nullif(json_extract(end_json, '$.result.id'), 0)
WHERE end_json <> '' AND json_extract(order_json, '$.kind') = 'enroll';
DELETE FROM job WHERE member_id IS NOT NULL AND member_id NOT IN (SELECT id FROM member);
