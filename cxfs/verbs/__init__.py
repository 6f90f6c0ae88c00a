"""What a running mount can be asked over its control socket: arguments in, plain values out. Decides and sends nothing.

`mount` is about the mount and what it has to send, `objects` about one file or folder. Paths in requests and answers
are below the mount, without a slash at either end; the empty one is all of it.
"""

from cxfs.verbs.mount import MountVerbs, Phase
from cxfs.verbs.objects import ObjectVerbs

__all__ = ["MountVerbs", "ObjectVerbs", "Phase"]
