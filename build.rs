//! Tells cargo that a new file in these folders is a change: they are compiled in by folder, not by name.
fn main() {
    println!("cargo:rerun-if-changed=catalogue");
    println!("cargo:rerun-if-changed=migrations");
}
