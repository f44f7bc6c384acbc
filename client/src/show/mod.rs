//! What people see: text on a terminal, and the JSON that scripts read instead.

mod names;
mod numbers;
mod out;
mod progress;
mod table;

pub use names::visible;
pub use numbers::{Clock, size};
pub use out::{JsonList, Out};
pub use progress::Bar;
pub use table::Table;
