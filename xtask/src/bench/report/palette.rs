//! The colours of plots, by day and by night.
//!
//! Plots are drawn in the colours of the day, so that one stands by itself. On the page a style sheet puts those of
//! the night in their place: every colour here has a rule of its own.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::super::cell::Receiver;

/// A colour, and what stands for it on a dark page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    day: [u8; 3],
    night: [u8; 3],
}

const fn colour(day: [u8; 3], night: [u8; 3]) -> Colour {
    Colour { day, night }
}

/// Text and axes.
pub const INK: Colour = colour([0x1f, 0x23, 0x28], [0xe6, 0xed, 0xf3]);
/// Lines to measure by.
pub const GRID: Colour = colour([0xd8, 0xde, 0xe4], [0x3d, 0x44, 0x4d]);
/// What is compared with.
pub const STOCK: Colour = colour([0x59, 0x63, 0x6e], [0xad, 0xb8, 0xc4]);
/// What this project is about.
pub const FASTNET: Colour = colour([0x09, 0x58, 0xc9], [0x6c, 0xb0, 0xff]);

/// Others.
pub const PEERS: [Colour; 8] = [
    colour([0xbc, 0x4c, 0x00], [0xff, 0xa6, 0x57]),
    colour([0x8a, 0x5a, 0x00], [0xe3, 0xb3, 0x41]),
    colour([0x1a, 0x7f, 0x37], [0x56, 0xd3, 0x64]),
    colour([0x82, 0x50, 0xdf], [0xd2, 0xa8, 0xff]),
    colour([0xbf, 0x39, 0x89], [0xff, 0x9b, 0xce]),
    colour([0x0f, 0x76, 0x6e], [0x5e, 0xd5, 0xc8]),
    colour([0xa4, 0x0e, 0x26], [0xff, 0x9a, 0x8f]),
    colour([0x4f, 0x5b, 0x0f], [0xc5, 0xd8, 0x6d]),
];

/// Of a receiver, the same in every plot.
pub fn of(receiver: Receiver) -> Colour {
    match receiver {
        Receiver::Recvmmsg => STOCK,
        Receiver::Remembered => FASTNET,
        Receiver::IoUringRecvmsg => PEERS[0],
        Receiver::IoUringRecv => PEERS[1],
        Receiver::UdpGro => PEERS[2],
        Receiver::Recv => PEERS[3],
        Receiver::Recvmsg => PEERS[4],
        Receiver::AfXdp => PEERS[5],
        Receiver::BusyPoll => PEERS[7],
        // No plot has them.
        Receiver::RememberUniform | Receiver::RememberScattered => PEERS[6],
    }
}

impl Colour {
    /// For the drawing.
    pub fn rgb(self) -> RGBColor {
        let [red, green, blue] = self.day;
        RGBColor(red, green, blue)
    }

    /// As the drawing writes it.
    pub fn hex(self) -> String {
        hex(self.day)
    }
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// The rules of the night.
pub fn night() -> String {
    let mut rules = String::new();
    for Colour { day, night } in [INK, GRID, STOCK, FASTNET].iter().chain(&PEERS) {
        let (day, night) = (hex(*day), hex(*night));
        for part in ["fill", "stroke"] {
            // Writing to a String cannot fail.
            let _ = writeln!(rules, "svg [{part}=\"{day}\"] {{ {part}: {night} }}");
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours as WCAG 2 defines it.
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let light = |colour: [u8; 3]| {
            let [red, green, blue] = colour.map(|part| {
                let part = f64::from(part) / 255.0;
                if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let (one, other) = (light(one) + 0.05, light(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_line_stands_out_from_its_page() {
        let (paper, slate) = ([0xff; 3], [0x0d, 0x11, 0x17]);
        assert!((contrast(paper, [0; 3]) - 21.0).abs() < 0.01);
        for colour in [INK, STOCK, FASTNET].iter().chain(&PEERS) {
            assert!(contrast(colour.day, paper) >= 4.5, "{}", hex(colour.day));
            assert!(contrast(colour.night, slate) >= 4.5, "{}", hex(colour.night));
        }
    }
}
