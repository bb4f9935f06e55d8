//! Errors on persons that training never saw.
