//! Numbers that look like chance and are the same every time: splitmix64.

/// As many as are wanted, from a seed.
pub struct Chance(pub u64);

impl Chance {
    /// Any number.
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }

    /// One below a bound that is so small that none is noticeably more likely.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }

    /// Of mean 1: how long one waits for what may come at any moment.
    pub fn exponential(&mut self) -> f64 {
        -((f64::from(self.next()) + 1.0) / (f64::from(u32::MAX) + 1.0)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the generator's authors for seed 1234567, their upper halves.
    #[test]
    fn it_is_the_generator_that_it_is_called() {
        let mut chance = Chance(1_234_567);
        let first: Vec<_> = (0..3).map(|_| chance.next()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
                .map(|number| (number >> 32) as u32)
        );
    }
}
