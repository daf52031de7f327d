//! The dashboard's files are embedded, so the crate is compiled again when they are built again.

fn main() {
    println!("cargo:rerun-if-changed=dashboard/dist");
}
