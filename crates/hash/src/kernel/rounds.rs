//! The 64 rounds of SHA-256 (FIPS 180-4 §6.2.2), written once for every width of vector.

/// The round constants (FIPS 180-4 §4.2.2).
pub(super) const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// One round on eight vectors in place: afterwards the working variables are one place further round, which the
/// order of the arguments takes care of.
macro_rules! round {
    ($w:expr, $k:expr, $a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $g:ident, $h:ident) => {{
        let first = add(
            add($h, add(big_sigma1($e), ch($e, $f, $g))),
            add(broadcast($k), $w),
        );
        let second = add(big_sigma0($a), maj($a, $b, $c));
        $d = add($d, first);
        $h = add(first, second);
    }};
}

/// Sixteen rounds with the words in `$w`, starting at round `$t`.
macro_rules! sixteen_rounds {
    ($w:ident, $t:expr, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {{
        round!($w[0], K[$t], $a, $b, $c, $d, $e, $f, $g, $h);
        round!($w[1], K[$t + 1], $h, $a, $b, $c, $d, $e, $f, $g);
        round!($w[2], K[$t + 2], $g, $h, $a, $b, $c, $d, $e, $f);
        round!($w[3], K[$t + 3], $f, $g, $h, $a, $b, $c, $d, $e);
        round!($w[4], K[$t + 4], $e, $f, $g, $h, $a, $b, $c, $d);
        round!($w[5], K[$t + 5], $d, $e, $f, $g, $h, $a, $b, $c);
        round!($w[6], K[$t + 6], $c, $d, $e, $f, $g, $h, $a, $b);
        round!($w[7], K[$t + 7], $b, $c, $d, $e, $f, $g, $h, $a);
        round!($w[8], K[$t + 8], $a, $b, $c, $d, $e, $f, $g, $h);
        round!($w[9], K[$t + 9], $h, $a, $b, $c, $d, $e, $f, $g);
        round!($w[10], K[$t + 10], $g, $h, $a, $b, $c, $d, $e, $f);
        round!($w[11], K[$t + 11], $f, $g, $h, $a, $b, $c, $d, $e);
        round!($w[12], K[$t + 12], $e, $f, $g, $h, $a, $b, $c, $d);
        round!($w[13], K[$t + 13], $d, $e, $f, $g, $h, $a, $b, $c);
        round!($w[14], K[$t + 14], $c, $d, $e, $f, $g, $h, $a, $b);
        round!($w[15], K[$t + 15], $b, $c, $d, $e, $f, $g, $h, $a);
    }};
}

/// Replaces the sixteen words in `$w` by the next sixteen of the message schedule.
macro_rules! next_words {
    ($w:ident: $($i:literal)+) => {{
        $(
            $w[$i] = add(
                add(small_sigma1($w[($i + 14) % 16]), $w[($i + 9) % 16]),
                add(small_sigma0($w[($i + 1) % 16]), $w[$i]),
            );
        )+
    }};
    ($w:ident) => { next_words!($w: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) };
}

/// One block in every lane: `$w` holds its words, `$state` the eight vectors of midstates. Wants `add`, `ch`,
/// `maj`, `broadcast` and the four sigmas in scope.
macro_rules! one_block {
    ($state:ident, $w:ident) => {{
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = $state;
        sixteen_rounds!($w, 0, a b c d e f g h);
        next_words!($w);
        sixteen_rounds!($w, 16, a b c d e f g h);
        next_words!($w);
        sixteen_rounds!($w, 32, a b c d e f g h);
        next_words!($w);
        sixteen_rounds!($w, 48, a b c d e f g h);
        for (old, new) in $state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *old = add(*old, new);
        }
    }};
}

pub(super) use {next_words, one_block, round, sixteen_rounds};
