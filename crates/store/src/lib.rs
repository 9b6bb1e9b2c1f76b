//! Where a registry's content rests: one trait, a directory, bundles, overlays.
