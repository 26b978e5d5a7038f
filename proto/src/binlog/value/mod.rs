//! Column values as they stand in a row image.
