"""The file system without a kernel: joins remote and local by the decisions of core. Raises only CxfsError."""
