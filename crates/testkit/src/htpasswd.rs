//! Password files for servers, as `htpasswd -B` writes them, without that program.

/// The lowest cost that bcrypt has: tests are not to measure it.
const COST: u32 = 4;

/// One line of the file: `USER:HASH`.
pub fn line(user: &str, password: &str) -> String {
    let hash = bcrypt::hash_with_result(password, COST).expect("a password can be hashed");
    format!("{user}:{}\n", hash.format_for_version(bcrypt::Version::TwoY))
}
