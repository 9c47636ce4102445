//! The configurations that ship inside the program, by file name.

/// The text of a file in `configs/`; build.rs says where that is.
macro_rules! text {
    ($name:literal) => {
        include_str!(concat!(env!("DGM_SHIPPED"), "/configs/", $name))
    };
}

/// Name and text of each.
pub const CONFIGS: [(&str, &str); 12] = [
    ("vae.toml", text!("vae.toml")),
    ("arm.toml", text!("arm.toml")),
    ("pixelcnn.toml", text!("pixelcnn.toml")),
    ("pixelcnn-labels.toml", text!("pixelcnn-labels.toml")),
    ("transformer.toml", text!("transformer.toml")),
    ("shakespeare.toml", text!("shakespeare.toml")),
    ("conditional.toml", text!("conditional.toml")),
    ("synthetic-arm.toml", text!("synthetic-arm.toml")),
    ("concrete.toml", text!("concrete.toml")),
    ("mnist-vae.toml", text!("mnist-vae.toml")),
    ("mnist-pixelcnn.toml", text!("mnist-pixelcnn.toml")),
    ("mnist-pixelcnn-small.toml", text!("mnist-pixelcnn-small.toml")),
];

/// The shipped configuration of this name, with or without `.toml`.
pub fn find(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    CONFIGS.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name)).map(|(_, text)| *text)
}
