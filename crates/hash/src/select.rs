//! Which way of hashing this processor is best at, decided once at run time.

/// A way to hash many SHA-256 streams. All give the same digests; only the speed differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// One stream after the other, by aws-lc: with SHA instructions nothing is faster, and it runs everywhere.
    OneStream,
    /// Eight streams side by side in AVX2 registers.
    Avx2,
    /// Sixteen streams side by side in AVX-512 registers.
    Avx512,
}

impl Kernel {
    /// Every kernel, the narrowest first.
    pub const ALL: [Self; 3] = [Self::OneStream, Self::Avx2, Self::Avx512];

    /// The one to use on this processor.
    #[must_use]
    pub fn best() -> Self {
        if has_sha_instructions() {
            return Self::OneStream;
        }
        [Self::Avx512, Self::Avx2]
            .into_iter()
            .find(|kernel| kernel.is_available())
            .unwrap_or(Self::OneStream)
    }

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::OneStream => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512bw")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// How many streams it takes at once.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self {
            Self::OneStream => 1,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_sha_instructions() -> bool {
    std::arch::is_x86_feature_detected!("sha")
}

// Elsewhere aws-lc picks the processor's SHA instructions itself, and there are no lane kernels anyway.
#[cfg(not(target_arch = "x86_64"))]
fn has_sha_instructions() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_kernel_can_run_here() {
        assert!(Kernel::best().is_available());
        assert!(Kernel::OneStream.is_available());
    }

    #[test]
    fn lanes_are_never_preferred_to_sha_instructions() {
        if has_sha_instructions() {
            assert_eq!(Kernel::best(), Kernel::OneStream);
        }
    }
}
