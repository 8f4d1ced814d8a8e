//! The client against a real registry and against servers that misbehave.

#[cfg(test)]
mod common;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod real_registry;
mod referrers;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod tokens;
