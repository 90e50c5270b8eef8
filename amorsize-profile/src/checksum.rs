//! The one checksum of Amorsize: of a profile's sections and of annotated functions' tokens.

/// The 64-bit FNV-1a hash of `text`, as 16 lowercase hexadecimal digits.
///
/// It notices accidents (an edit, a cut, a bad merge), not intent, and it is the same on every
/// machine and in every version. [RFC 9923](https://www.rfc-editor.org/rfc/rfc9923) defines it.
#[must_use]
pub fn checksum(text: &str) -> String {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash =
        text.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::checksum;

    /// From the test suite that accompanies the definition of FNV.
    #[test]
    fn the_published_test_vectors_come_out() {
        for (text, hash) in [
            ("", "cbf29ce484222325"),
            ("a", "af63dc4c8601ec8c"),
            ("b", "af63df4c8601f1a5"),
            ("fo", "08985907b541d342"),
            ("foo", "dcb27518fed9d577"),
            ("foob", "dd120e790c2512af"),
            ("fooba", "cac165afa2fef40a"),
            ("foobar", "85944171f73967e8"),
        ] {
            assert_eq!(checksum(text), hash, "{text:?}");
        }
    }
}
