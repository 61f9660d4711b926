//! The shape of a message.

/// What one message has room for.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub(crate) segments: Vec<usize>,
    pub(crate) name: Option<usize>,
    pub(crate) control: Option<usize>,
    pub(crate) skew: usize,
}

impl Shape {
    /// One buffer of `len` bytes, and nothing else.
    pub fn payload(len: usize) -> Self {
        Self::segments(&[len])
    }

    /// A buffer a length.
    pub fn segments(lens: &[usize]) -> Self {
        Self { segments: lens.to_vec(), ..Self::default() }
    }

    /// And room for any address.
    #[must_use]
    pub fn name(self) -> Self {
        self.name_of(128)
    }

    /// And room for `len` bytes of the address.
    #[must_use]
    pub fn name_of(self, len: usize) -> Self {
        Self { name: Some(len), ..self }
    }

    /// And room for `len` bytes of control messages.
    #[must_use]
    pub fn control(self, len: usize) -> Self {
        Self { control: Some(len), ..self }
    }

    /// And each buffer so many bytes off the words of memory.
    #[must_use]
    pub fn skewed(self, skew: usize) -> Self {
        Self { skew, ..self }
    }
}
