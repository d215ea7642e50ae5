//! The command line as a program: what happens when it is killed.

mod killed;
