//! Names the fold by its sources: a rebuild that was cut off is continued only by the fold that began it, and a stored state is
//! used only by the fold that stored it.

#[path = "../schema/fold_name.rs"]
mod fold_name;

fn main() -> std::io::Result<()> {
    fold_name::set("LUCI_FOLD", ["src", "../schema/src"])
}
