"""cxfs mounts a CX account as a directory. This is the map of the package; nothing happens here.

What moves, and in which room each part of it lives:

                core decides    remote asks CX   local remembers   fs does the work
    names       entries         files            metadata          tree
    reads       readahead       transport        blocks            reader
    writes      uploads         transport        outbox            uploader

Around the table: `core/errors` are the words for failure, `core/names` how names are shown, `core/ranges` the byte
arithmetic, `core/retry`, `patience` and `resuming` when to try again; `remote/session` sends every request;
`fs/filesystem` is the whole without a kernel; `fuse` the kernel's side of it; `config` and `credentials` say who and
where; `service` is a profile's session; `signin` is the way to a token, by a browser that comes back to `loopback`;
`daemon` puts everything together; `control` asks a running mount, whose answers are `verbs`, and `leftovers` reads
what one that does not run has left; `cli` is the command line; `server` is a CX server of its own, which shares no
code with the rest.

Imports go one way, which import-linter holds (pyproject.toml):
cli > daemon | signin | server > verbs | leftovers | service > fuse | control | mounts | config | credentials | loopback
> fs > remote | local > core.
"""

__version__ = "0.1.0"
