//! The smallest program there is: prints one line and ends. It makes every image of a workload runnable without a
//! compiler, a shell or a library, on both of the architectures that it is assembled for.

/// Where the loader puts the file.
const BASE: u64 = 0x40_0000;
/// ELF header and the one program header.
const HEADERS: usize = 64 + 56;

/// An executable for linux/amd64 that prints `message`.
pub fn amd64(message: &str) -> Vec<u8> {
    let len = u32::try_from(message.len())
        .expect("a message is short")
        .to_le_bytes();
    let mut code = vec![
        0xb8, 1, 0, 0, 0, // mov eax, 1 (write)
        0xbf, 1, 0, 0, 0, // mov edi, 1 (stdout)
        0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea rsi, [rip + 16]: what follows the code
        0xba, len[0], len[1], len[2], len[3], // mov edx, len
        0x0f, 0x05, // syscall
        0xb8, 60, 0, 0, 0, // mov eax, 60 (exit)
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
    ];
    code.extend_from_slice(message.as_bytes());
    executable(62, &code)
}

/// An executable for linux/arm64 that prints `message`.
pub fn arm64(message: &str) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("a message is short") & 0xffff;
    let words: [u32; 8] = [
        0xd280_0020,            // mov x0, #1 (stdout)
        0x1000_00e1,            // adr x1, +28: what follows the code
        0xd280_0002 | len << 5, // mov x2, #len
        0xd280_0808,            // mov x8, #64 (write)
        0xd400_0001,            // svc #0
        0xd280_0000,            // mov x0, #0
        0xd280_0ba8,            // mov x8, #93 (exit)
        0xd400_0001,            // svc #0
    ];
    let mut code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    code.extend_from_slice(message.as_bytes());
    executable(183, &code)
}

/// One loadable, executable segment that is the whole file.
fn executable(machine: u16, code: &[u8]) -> Vec<u8> {
    let total = (HEADERS + code.len()) as u64;
    let mut out = Vec::with_capacity(HEADERS + code.len());
    out.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    out.extend_from_slice(&2_u16.to_le_bytes()); // an executable
    out.extend_from_slice(&machine.to_le_bytes());
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&(BASE + HEADERS as u64).to_le_bytes()); // entry
    out.extend_from_slice(&64_u64.to_le_bytes()); // program headers
    out.extend_from_slice(&0_u64.to_le_bytes()); // no sections
    out.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&1_u32.to_le_bytes()); // to be loaded
    out.extend_from_slice(&5_u32.to_le_bytes()); // readable, executable
    for word in [0, BASE, BASE, total, total, 0x1000] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(code);
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;
    use crate::{Scratch, run};

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn runs_here() {
        let scratch = Scratch::new();
        let path = scratch.write("hello", amd64("good day\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(run(&mut Command::new(path)).ok(), "good day\n");
    }

    #[test]
    fn the_message_of_arm64_follows_28_bytes_after_the_second_word() {
        let program = arm64("x\n");
        assert_eq!(&program[HEADERS + 4 + 28..], b"x\n");
    }
}
