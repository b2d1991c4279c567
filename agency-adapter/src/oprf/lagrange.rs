//! Lagrange interpolation in the exponent. Holders' indices are small integers, so the coefficients are
//! small fractions; over a common denominator they are small integers, and a combination of elements is
//! a few additions.

use std::num::NonZeroU8;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::Identity};

/// How the values at some indices make the value at another one: the weighted sum, divided by the
/// denominator.
pub struct Lagrange {
    weights: Vec<i128>,
    denominator: i128,
}

impl Lagrange {
    /// Of distinct indices, each at most [`MAX_HOLDERS`](super::MAX_HOLDERS): that keeps every number
    /// below 2^90.
    pub fn new(at: u8, indices: &[NonZeroU8]) -> Self {
        let at = i128::from(at);
        let fraction = |index: &NonZeroU8| {
            let j = i128::from(index.get());
            let others = indices.iter().map(|other| i128::from(other.get())).filter(|m| *m != j);
            let (above, below) = others.fold((1, 1), |(a, b), m| (a * (at - m), b * (j - m)));
            let divisor = gcd(above, below) * below.signum();
            (above / divisor, below / divisor)
        };
        let fractions: Vec<(i128, i128)> = indices.iter().map(fraction).collect();
        let denominator =
            fractions.iter().fold(1, |all, (_, below)| all / gcd(all, *below) * below);
        let weights =
            fractions.iter().map(|(above, below)| above * (denominator / below)).collect();
        Self { weights, denominator }
    }

    /// What the weighted sum must be divided by.
    pub fn denominator(&self) -> Scalar {
        Scalar::from(self.denominator.unsigned_abs())
    }

    /// The weighted sum of one element for each index, in their order. In variable time: weights and
    /// elements are public.
    pub fn sum<'p>(
        &self,
        elements: impl Iterator<Item = &'p RistrettoPoint> + Clone,
    ) -> RistrettoPoint {
        let bits = self.weights.iter().map(|w| 128 - w.unsigned_abs().leading_zeros()).max();
        let mut sum = RistrettoPoint::identity();
        for bit in (0..bits.unwrap_or(0)).rev() {
            sum = sum + sum;
            for (weight, element) in self.weights.iter().zip(elements.clone()) {
                if (weight.unsigned_abs() >> bit) & 1 == 1 {
                    sum = if *weight < 0 { sum - element } else { sum + element };
                }
            }
        }
        sum
    }
}

/// The greatest common divisor, not negative.
fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lagrange(at: u8, indices: &[u8]) -> Lagrange {
        let indices: Vec<_> = indices.iter().filter_map(|index| NonZeroU8::new(*index)).collect();
        Lagrange::new(at, &indices)
    }

    #[test]
    fn weights_of_neighbours_are_small_whole_numbers() {
        let three = lagrange(0, &[1, 2, 3]);
        assert_eq!((three.weights, three.denominator), (vec![3, -3, 1], 1));
        let apart = lagrange(0, &[1, 4]);
        assert_eq!((apart.weights, apart.denominator), (vec![4, -1], 3));
    }

    #[test]
    fn the_value_of_a_polynomial_comes_out_at_any_place() {
        let value =
            |x: u8| Scalar::from(7_u8) + Scalar::from(x) * Scalar::from(90_u64) * Scalar::from(x);
        for (at, indices) in [(0, vec![3, 1, 16]), (9, vec![2, 16, 5]), (0, (1..=16).collect())] {
            let points: Vec<_> =
                indices.iter().map(|x| RistrettoPoint::mul_base(&value(*x))).collect();
            let lagrange = lagrange(at, &indices);
            let expected = RistrettoPoint::mul_base(&(value(at) * lagrange.denominator()));
            assert_eq!(lagrange.sum(points.iter()), expected);
        }
    }
}
