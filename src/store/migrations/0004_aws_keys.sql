-- 1: an access key of the AWS clients. hash is then that of its secret, which is made from the master key.
ALTER TABLE access_key ADD COLUMN aws INTEGER NOT NULL DEFAULT 0 CHECK (aws IN (0, 1));
