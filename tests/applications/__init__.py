"""Programs that people really use, in a real mount: what they are told to do, and what must hold afterwards."""
