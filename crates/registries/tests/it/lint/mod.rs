//! Every rule of the catalogue, by what people see of it.

mod cases;
mod node;
mod seeds;
mod speed;
mod support;
