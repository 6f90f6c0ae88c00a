"""Every bound of the server with its reason. Enforced elsewhere; stated to the world in docs/protocol.md, "Limits"."""

from __future__ import annotations

from typing import Final

NAME_CHARACTERS_MAX: Final = 255
"""In one name; up to 1,020 bytes of UTF-8. Over it: NameTooLong."""

PATH_NAMES_MAX: Final = 500
"""Folders above one another. Half of what SQLite's recursion and people's patience hold. Over it: InvalidPath."""

HEAD_BYTES_MAX: Final = 64 << 10
"""Request line and headers. A percent-encoded path of ten 255-character names is 30 KiB. Over it: HeadersTooLarge."""

BODY_BYTES_MAX: Final = 64 << 10
"""A body that is no upload: a few short fields. Over it: RequestTooLarge."""

FIELD_BYTES_MAX: Final = 32 << 10
"""One field beside the file of an upload. Over it: RequestTooLarge."""

ATTRIBUTES_BYTES_MAX: Final = 256 << 10
"""Instead of either where extended attributes come: all that an object can have, percent-encoded."""

XATTRS_BYTES_MAX: Final = 64 << 10
"""Names and values of all extended attributes of one object: Linux's bound of one value. Over it: RequestTooLarge."""

XATTR_NAME_BYTES_MAX: Final = 255
"""Of one, with its family: Linux's. Over it: InvalidRequest."""

LINK_BYTES_MAX: Final = 4_095
"""Where a symbolic link leads: Linux's longest path. Over it: InvalidRequest."""

FIELDS_MAX: Final = 32
"""Fields in one form; the contract knows seven. Over it: RequestTooLarge."""

DESCRIPTION_CHARACTERS_MAX: Final = 4_096
"""An object's description. Over it: InvalidRequest."""

CONTENT_TYPE_CHARACTERS_MAX: Final = 127
"""A longer or unprintable content type is stored as application/octet-stream."""

PAGE_ENTRIES_MAX: Final = 1_000
"""Entries in one page of a listing, and the default. A larger `limit` is answered with this many."""

PAGE_XATTR_BYTES: Final = 1 << 20
"""Extended attributes in one page of a listing, as JSON: the entry that passes it is the last."""

NUMBER_MAX: Final = (1 << 63) - 1
"""Largest whole number that a parameter may hold: SQLite's. Over it: InvalidRequest."""

CHANGES_KEPT: Final = 100_000
"""Changes of one owner that a follower may be behind. Beyond it the cursor is answered with `reset`, and the follower
asks for what it needs anew: cheaper for both than to tell it all of this."""

RESTORED_STEP: Final = 1 << 40
"""Positions that are passed over after a restore: more than one owner's changes since any backup, and there are enough
for four million restores."""

CHANGES_PER_ANSWER_MAX: Final = 500
"""Changes in one answer; more come with the next. Its making holds the event loop for a few milliseconds."""

CHANGES_WAIT_S_MAX: Final = 60
"""How long a question for changes waits. Proxies give up on a silent server after that time (nginx's default)."""

WAITS_MAX: Final = 10_000
WAITS_OF_AN_ACCOUNT_MAX: Final = 100
"""Questions for changes that wait in one process, a few KiB and a connection each; and of those, one account's: some
machines that follow some groups each. Over either: RateLimited."""

VERSIONS_KEPT: Final = 64
"""Former versions of one file. The oldest goes when the next comes."""

SUBTREE_OBJECTS_MAX: Final = 100_000
"""Objects that one `copy` makes: it is one transaction, and other writers wait for it. Over it: InvalidRequest."""

PIECE_BYTES: Final = 1 << 20
"""Content travels in pieces of this size, both ways: large enough that the work per piece vanishes beside the bytes,
small enough that a hundred transfers fit into memory."""

SENT_PIECE_BYTES: Final = 256 << 10
"""Of a download. A megabyte each is memory that the system takes back and clears again for every piece: that costs a
tenth more processor time, and a quarter of one does not."""

SMALL_BYTES_MAX: Final = 64 << 10
"""A content up to this is a row beside those that refer to it: one sync for all of a commit, where files of their own
would take two each. Beyond it SQLite is slower than the file system (sqlite.org/intern-v-extern-blob.html)."""

OBJECT_PART_BYTES: Final = 16 << 20
"""Of a content on its way into a bucket: with S3's 10,000 parts, one of 156 GiB; a smaller one goes in one request."""

OBJECT_PARTS_AT_ONCE: Final = 2
"""Of one upload, each in memory: the next one fills while the last is sent."""

OBJECT_ANSWER_S_MAX: Final = 60
"""For one request to a bucket, a part included: 2 Mbit/s. Then: Unavailable."""

OBJECT_WINDOW_BYTES_FIRST: Final = 1 << 20
OBJECT_WINDOW_BYTES_MAX: Final = 8 << 20
"""Of an object that is read: fetched and held in memory at once, twice as much each time, up to the second."""

ARRIVAL_LIFE_S: Final = 24 * 3_600
"""How long an upload may take, in a bucket, before what has come of it counts as left by a crash."""

DISCARDED_LIFE_S: Final = 3_600
"""How long an object is kept in a bucket that no file has any more: whoever is reading it may finish."""

STRAYS_AT_ONCE: Final = 1_000
"""Objects removed in one request: as many as S3 takes."""

CONNECTIONS_MAX: Final = 16
"""To PostgreSQL, of one process: its own default of 100 is enough for six."""

CONNECTION_WAIT_S: Final = 5
"""For a connection that is free, or can be made. Then: Unavailable."""

LOCK_WAIT_S: Final = 30
"""How long one change waits for another of the same tree, in PostgreSQL. Then: Unavailable."""

STATEMENT_S_MAX: Final = 60
"""What takes PostgreSQL longer is ended, and Unavailable."""

SILENT_TRANSACTION_S_MAX: Final = 20
"""PostgreSQL undoes a transaction of whose process it has heard nothing so long: others wait
for its trees, and not as long as they have patience."""

LINE_DEAD_S: Final = 20
"""A line to or from PostgreSQL on which what was sent is not received so long is given up: a cable, a firewall."""

FORM_ENVELOPE_BYTES: Final = 128 << 10
"""How much larger than its file an upload's body may be: boundaries, fields. For the early look at quota only."""

BUNDLE_ITEMS_MAX: Final = 256
BUNDLE_BYTES_MAX: Final = 8 << 20
"""Objects, and bytes of their contents, in one bundle: by then the cost of a request is spread thin. Over the number:
InvalidRequest; what is asked for and does not fit any more is RequestTooLarge by itself."""

BUNDLE_ITEM_BYTES_MAX: Final = 1 << 20
"""Of one object in a bundle: it is read or written in one go. A larger one gains nothing by company."""

BUNDLE_LIST_BYTES_MAX: Final = 512 << 10
"""What a bundle is to hold, as JSON: paths of 2 KiB on average. Over it: RequestTooLarge."""

BUNDLE_BODY_BYTES_MAX: Final = BUNDLE_BYTES_MAX + BUNDLE_LIST_BYTES_MAX + BUNDLE_ITEMS_MAX * 1_024
"""The whole body of a bundle that brings files, boundaries and headers included. Over it: RequestTooLarge."""

DRAIN_BYTES_MAX: Final = 1 << 20
DRAIN_TIMEOUT_S: Final = 2
"""How much, and how long, of a refused body is still read before the connection is closed under its sender."""

CODE_LIFE_S: Final = 600
"""How long an authorization code may be exchanged (RFC 6749, 4.1.2 recommends ten minutes at most)."""

SESSION_IDLE_S: Final = 2 * 3_600
"""A browser that asks for no page so long is signed out: longer than a meal, shorter than a night."""

SESSION_LIFE_S: Final = 12 * 3_600
"""And this long after signing in whatever it does: one asks for the password once a day."""

SESSIONS_MAX: Final = 20
"""Browsers in which one account is signed in at once; the one that was opened first is signed out for the next."""

PASSWORD_CHARACTERS_MIN: Final = 8
"""In a new password (NIST SP 800-63B, 3.1.1.2)."""

PASSWORD_CHARACTERS_MAX: Final = 1_024
"""No person types more. A longer one is refused where it is set, and wrong where it is tried."""

THREADS_FOR_PASSWORDS: Final = 2
"""Passwords compared at once in one process: each takes 64 MiB and up to four cores for some tens of milliseconds."""

PASSWORDS_IN_HAND_MAX: Final = 20
"""Passwords being compared or waiting for it in one process: about a second's work. More: RateLimited at once."""

PASSWORDS_OF_A_PLACE_MAX: Final = 4
"""Of those, from one place: a flood from there leaves room for the others."""

ATTEMPTS_FREE: Final = 5
"""Wrong passwords for one account from one place before there are pauses: what a person needs to remember."""

ATTEMPT_PAUSE_S_MAX: Final = 60
"""The pause doubles from one second up to this: 1,440 guesses a day, and nobody is shut out for longer."""

ATTEMPTS_FORGOTTEN_S: Final = 15 * 60
"""After so long without an attempt the count begins anew."""

ATTEMPT_ROWS_MAX: Final = 10_000
"""Pairs of account and place that are remembered. Beyond it those with the fewest failures go first."""

EVENTS_KEPT: Final = 10_000
"""Entries of the audit log, and as many again for failed sign-ins: noise does not push out what somebody did."""

REDIRECT_URI_CHARACTERS_MAX: Final = 2_000
"""A redirect URI; with its answer it must fit into one request line of any server."""

AUTHORIZE_QUERY_BYTES_MAX: Final = 8 << 10
"""What an application may ask the authorization page with, `state` included: on the way through the sign-in page it is
encoded once more, and must still fit into HEAD_BYTES_MAX."""

APP_NAME_CHARACTERS_MAX: Final = 60
"""An application's name: it stands in a heading that people are to read."""

PAGE_ROWS: Final = 500
"""Entries of a folder on one page for people."""

THREADS_FOR_CONTENT: Final = 8
"""Pieces being hashed and written at once; more only wait for the same cores and disk."""

THREADS_FOR_BUCKET: Final = 32
"""Parts and windows on their way to or from a bucket at once, up to a few tens of MiB each upload or download. While it
does not answer they wait here, and keep out nobody who needs no bucket."""

THREADS_FOR_CHANGES: Final = 16
"""Changes waiting for their turn at the one SQLite writer, uploads being synced among them."""

QUOTA_BYTES_DEFAULT: Final = 10 << 30
"""An account's storage unless its maker says otherwise: what CX gave for nothing."""
