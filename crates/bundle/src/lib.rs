//! Files that hold images: the bundle (plan, write, resume, read, verify) and OCI layouts.
