//! The hash tree, compared with what `veritysetup` (cryptsetup 2.6.1) wrote for the same input.

use slipway_payload::{
    Digest,
    verity::{BLOCK, TreeBuilder, Verity},
};

/// Blocks that all differ: each is its number, repeated.
fn image(blocks: u32) -> Vec<u8> {
    (0..blocks).flat_map(|block| block.to_le_bytes().repeat(BLOCK as usize / 4)).collect()
}

#[track_caller]
fn check(blocks: u32, verity: &Verity, root: &str, tree: &str) {
    let image = image(blocks);
    // In pieces that do not meet the blocks.
    let mut builder = TreeBuilder::new(verity);
    for piece in image.chunks(5000) {
        builder.update(piece);
    }
    let built = builder.finish().unwrap();
    assert_eq!(built.root_hash().to_string(), root);
    let mut bytes = Vec::new();
    built.write(&mut bytes).unwrap();
    assert_eq!(built.length(), bytes.len() as u64);
    assert_eq!(Digest::of_bytes(&bytes).to_string(), tree);
}

#[test]
fn a_part_of_a_block_is_no_image() {
    for length in [0, 1, 4095, 4097] {
        let mut builder = TreeBuilder::new(&Verity::of_slipway());
        builder.update(&vec![1; length]);
        assert!(builder.finish().is_err(), "{length}");
    }
}

#[test]
fn trees_of_all_depths() {
    let slipway = Verity::of_slipway();
    check(
        1,
        &slipway,
        "2e534ef0107d592d1706ac38ad58596b85ef3375d360a6d669f974792df5cb5a",
        "5698c33cb52874fbd252c2038c18e5c8693779a510535b997e115117397d0a0c",
    );
    check(
        2,
        &slipway,
        "1a5d1cdc4169b8fa5e57fbc4891ca3c1d90e5287014c42cc95609b6793900bf5",
        "9cbdaf45c5583e557ebe663583ae13e0b3b1e1873b87e648b6afb7e11c4efee0",
    );
    check(
        128,
        &slipway,
        "e05acccca9a8377c08df3c55ab647d4e25197ce6d1884f9b5a4c0583a60a74a0",
        "938788b709b8ce088c8f102e9777b5e0c387635d6f817270579c2cd4fe24cbd7",
    );
    check(
        129,
        &slipway,
        "666f334a35e4d664a25c98c8fa88102f2581df8860ab815413856a9381674dc0",
        "0352fca3edc5219d61df20f2f530ee7bd9daa1391d9a00092e8b51663ece808f",
    );
    check(
        16_385,
        &slipway,
        "435d20a91266e80db405a3cb263455febd800f8eb3b8b835fb743f64e9b480e4",
        "9b97ef1964e7eaea057335966bbdc4de0a65d2542c0f58d4e6a3a92206deb279",
    );
    let other = Verity {
        salt: vec![1, 2],
        uuid: [
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff,
        ],
    };
    check(
        300,
        &other,
        "9d3b31fab1ef543f02db80a8654d07168c7749bffdccbd9e7545e8816820f621",
        "9f84d266e4ebf1b656fd588579d18722e419494b03f30c9d2bcbc63f41e34b37",
    );
}
