-- A directory's tables as format 1 made them: `.dump` of its database, PRAGMA user_version added by hand.
-- token 4xigCwkKjCJu0YVJ8FFMpCiVZh8uMnkCCrF4yHWYFS8
-- token of Photos KBoyjcb6ldAM7txg66zknUgSXS4JzH0vj5A9av2ak2A
-- code aVrDb8bhgGs4E4bjLvC2YmKhJzmkIT_lR8j87oodyqE
-- client yOquKc2gQhOolOoG7Feh_Q ry25SPNh7PDzoleI1y8aTQYcqmwHmoL63MW3_hUgRqA
BEGIN TRANSACTION;
CREATE TABLE apps (
    number INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    secret_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    redirect_uris TEXT NOT NULL
) STRICT;
INSERT INTO "apps" VALUES(1,'yOquKc2gQhOolOoG7Feh_Q',X'B291A5A7E2938F412141CFD5EDB25180F3AD6E2D26ABD52FA36BA11255B0F919','Photos','["https://photos.example.org/back"]');
CREATE TABLE codes (
    hash BLOB PRIMARY KEY,
    app INTEGER NOT NULL REFERENCES apps,
    user INTEGER NOT NULL REFERENCES users,
    redirect_uri TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "codes" VALUES(X'44B8AE55592723B026963C14ED1DF3B594C500C8837F2F9F659B152CDB8F9F11',1,1,'https://photos.example.org/back',1350941807706);
CREATE TABLE contents (
    number INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    sha1 TEXT NOT NULL,
    md5 TEXT NOT NULL
) STRICT;
INSERT INTO "contents" VALUES(1,X'2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824',5,'qvTGHdzF6KLavt4PO0gs2a6pQ00','XUFAKrxLKna5cZ2REBfFkg');
CREATE TABLE members (
    user INTEGER NOT NULL REFERENCES users,
    team INTEGER NOT NULL REFERENCES owners,
    role TEXT NOT NULL CHECK (role IN ('owner', 'writer', 'reader')),
    PRIMARY KEY (user, team)
) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES(1,3,'owner');
INSERT INTO "members" VALUES(2,3,'reader');
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner INTEGER NOT NULL REFERENCES owners,
    parent INTEGER REFERENCES nodes,
    name TEXT NOT NULL,
    is_folder INTEGER NOT NULL CHECK (is_folder = (content IS NULL)),
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    content_type TEXT NOT NULL DEFAULT '',
    content INTEGER REFERENCES contents,
    UNIQUE (parent, name)
) STRICT;
INSERT INTO "nodes" VALUES(1,'t7y3tUHBQuSFOR4qaXgmLw',1,NULL,'',1,2,1350941207701,1350941207707,'','',NULL);
INSERT INTO "nodes" VALUES(2,'MhYZ4U-fRy65A2PcUKgvbA',2,NULL,'',1,1,1350941207702,1350941207702,'','',NULL);
INSERT INTO "nodes" VALUES(3,'QSAh0zp-REOWqe_lbf4h_g',3,NULL,'',1,1,1350941207703,1350941207703,'','',NULL);
INSERT INTO "nodes" VALUES(4,'ATH2WRzOSu-JRa9yjpuK9Q',1,1,'note',0,1,1350941207707,1000000000000,'','',1);
CREATE TABLE owners (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
    name TEXT NOT NULL,
    capacity INTEGER NOT NULL CHECK (capacity >= 0),
    consumed INTEGER NOT NULL DEFAULT 0 CHECK (consumed >= 0),
    consumed_before INTEGER NOT NULL DEFAULT 0 CHECK (consumed_before >= 0),
    UNIQUE (kind, name)
) STRICT;
INSERT INTO "owners" VALUES(1,'QrNduV-4TrCbYWE_1cfrtA','user','ann',10737418240,5,0);
INSERT INTO "owners" VALUES(2,'tJ2w0fZaQteeg-K1kJOQRg','user','ben',10737418240,0,0);
INSERT INTO "owners" VALUES(3,'5z7sJpcaQVmjs2nKzTGBQg','group','band',10737418240,0,0);
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users,
    app INTEGER REFERENCES apps,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "tokens" VALUES(X'3B7C1B2CAD07EA39848880CDC5D0E8AE26403C159568FB87C4D5AE5511BAC93E',1,1,1350941207705);
INSERT INTO "tokens" VALUES(X'9DD91BBD2B3E35EF510D9C43FF6AF2B26BCCE1DD1FC9E168A839315D9AF8B8F8',1,NULL,1350941207704);
CREATE TABLE unused (content INTEGER PRIMARY KEY) STRICT;
CREATE TABLE users (
    owner INTEGER PRIMARY KEY REFERENCES owners,
    email TEXT NOT NULL,
    password TEXT,
    suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1))
) STRICT;
INSERT INTO "users" VALUES(1,'ann@example.org','$argon2id$v=19$m=8,t=1,p=1$0HzWCA/EAgMn9k4K3RXZaQ$dAQAPP6ZBFpzeQuEUU1lFA56LyYLBpwyOOQoGlBW3fw',0);
INSERT INTO "users" VALUES(2,'',NULL,1);
CREATE TABLE versions (
    node INTEGER NOT NULL REFERENCES nodes,
    version INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents,
    content_type TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    replaced_ms INTEGER NOT NULL,
    PRIMARY KEY (node, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX roots ON nodes (owner) WHERE parent IS NULL;
CREATE INDEX nodes_by_content ON nodes (content) WHERE content IS NOT NULL;
CREATE INDEX versions_by_content ON versions (content);
CREATE VIEW accounts AS
SELECT number, id, name, email, suspended, capacity, consumed, consumed_before FROM users JOIN owners ON number = owner;
CREATE VIEW objects AS
SELECT
    n.number, n.id, n.owner, n.parent, above.id AS parent_id, n.name, n.is_folder, n.version, n.created_ms,
    n.modified_ms, n.description, n.content_type, n.content, coalesce(c.size, 0) AS size, coalesce(c.sha1, '') AS sha1,
    coalesce(c.md5, '') AS md5, coalesce(c.sha256, x'') AS sha256
FROM nodes n LEFT JOIN nodes above ON above.number = n.parent LEFT JOIN contents c ON c.number = n.content;
COMMIT;
PRAGMA user_version = 1;
