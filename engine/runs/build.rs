//! Names the fold of a run by its sources: a stored state is used only by the fold that stored it.

#[path = "../../schema/fold_name.rs"]
mod fold_name;

fn main() -> std::io::Result<()> {
    fold_name::set("LUCI_RUN_FOLD", ["src/core", "../../schema/src"])
}
