//! Width and height of images, from their first bytes.

/// Bytes that are read of an image: cameras put a preview and a colour profile before the size.
pub const HEAD_BYTES: u64 = 256 << 10;

/// Width and height in pixels as they are stored, before a viewer turns the image. `None` if these are not the first bytes of an image, or the size
/// comes later.
pub fn dimensions(head: &[u8]) -> Option<(u64, u64)> {
    let size = imagesize::blob_size(head).ok()?;
    let number = |pixels: usize| u64::try_from(pixels).ok().filter(|pixels| *pixels > 0);
    Some((number(size.width)?, number(size.height)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(width.to_be_bytes());
        png.extend(height.to_be_bytes());
        png.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        png
    }

    fn jpeg(before: usize) -> Vec<u8> {
        let mut jpeg = vec![0xff, 0xd8];
        for _ in 0..before {
            jpeg.extend([0xff, 0xe2, 0xff, 0xff]);
            jpeg.extend(vec![0; 0xfffd]);
        }
        jpeg.extend([0xff, 0xc0, 0, 17, 8, 0x01, 0x02, 0x03, 0x04, 3]);
        jpeg.extend([0; 9]);
        jpeg
    }

    #[test]
    fn of_images_and_of_nothing_else() {
        assert_eq!(dimensions(&png(4_000, 3_000)), Some((4_000, 3_000)));
        assert_eq!(dimensions(&jpeg(0)), Some((0x0304, 0x0102)));
        assert_eq!(dimensions(&jpeg(3)), Some((0x0304, 0x0102)));
        assert_eq!(dimensions(&jpeg(3)[..128 << 10]), None);
        assert_eq!(dimensions(b"GIF89a\x10\0\x20\0\0\0\0"), Some((16, 32)));
        for none in [&b""[..], b"text", b"\x89PNG\r\n\x1a\n", &png(0, 7)] {
            assert_eq!(dimensions(none), None);
        }
    }

    #[test]
    fn no_bytes_make_it_fail() {
        let mut avif = b"\0\0\0\x1cftypavif\0\0\0\0mif1miafMA1B".to_vec();
        avif.extend([0, 0, 0, 60, b'm', b'e', b't', b'a']);
        let beginnings = [
            png(7, 7),
            jpeg(1),
            b"GIF89a".to_vec(),
            b"BM\x10\0\0\0\0\0\0\0".to_vec(),
            b"RIFF\xff\xff\xff\xffWEBPVP8 ".to_vec(),
            b"RIFF\xff\xff\xff\xffWEBPVP8L".to_vec(),
            b"RIFF\xff\xff\xff\xffWEBPVP8X".to_vec(),
            avif,
        ];
        for beginning in beginnings {
            for round in 0..2_000 {
                let keep = beginning.len() - round % beginning.len();
                let mut bytes = beginning[..keep].to_vec();
                bytes.extend((0..round % 200).map(|_| rand::random::<u8>()));
                if round % 3 == 0 {
                    let at = rand::random::<u16>() as usize % bytes.len();
                    bytes[at] = rand::random();
                }
                let _ = dimensions(&bytes);
            }
        }
    }
}
