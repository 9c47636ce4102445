//! The configurations that ship inside the program, by file name.

/// Name and text of each.
pub const CONFIGS: [(&str, &str); 12] = [
    ("vae.toml", include_str!("../../../configs/vae.toml")),
    ("arm.toml", include_str!("../../../configs/arm.toml")),
    ("pixelcnn.toml", include_str!("../../../configs/pixelcnn.toml")),
    ("pixelcnn-labels.toml", include_str!("../../../configs/pixelcnn-labels.toml")),
    ("transformer.toml", include_str!("../../../configs/transformer.toml")),
    ("shakespeare.toml", include_str!("../../../configs/shakespeare.toml")),
    ("conditional.toml", include_str!("../../../configs/conditional.toml")),
    ("synthetic-arm.toml", include_str!("../../../configs/synthetic-arm.toml")),
    ("concrete.toml", include_str!("../../../configs/concrete.toml")),
    ("mnist-vae.toml", include_str!("../../../configs/mnist-vae.toml")),
    ("mnist-pixelcnn.toml", include_str!("../../../configs/mnist-pixelcnn.toml")),
    ("mnist-pixelcnn-small.toml", include_str!("../../../configs/mnist-pixelcnn-small.toml")),
];

/// The shipped configuration of this name, with or without `.toml`.
pub fn find(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    CONFIGS.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name)).map(|(_, text)| *text)
}
