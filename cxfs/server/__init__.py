"""A CX server that a person can host. Shares no code with the client: they meet only in docs/protocol.md.

errors  limits  wire          what is said: refusals, bounds, paths, times, File objects; no I/O
schema  contents  store       what is kept: SQLite beside a folder of contents, both crash-safe
accounts  trees  changes      what it means: who may, what is there, what becomes of it
applications  grants          whom people let in, and redirects: where they are sent back to
hashes  sessions  attempts    how people prove who they are, and signing_in: once, all together
audit                         who did
ranges  forms  calls          how it is asked: headers, bodies, parameters, JSON answers
sources                       what a download reads
api  transport  oauth  app    the endpoints, one module a page of the contract
bundles  bundle_parts         many small objects in one request
pages                         what people see in a browser
certificates  serving         a process of it, over TLS
carrying  administration      whole trees in and out, and the door for the command line
"""
