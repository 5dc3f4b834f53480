//! One Householder reflector, applied to columns one after the other.

use crate::FaerScalar;
use faer::{ContiguousFwd, MatMut};
use pulp::{Arch, NullaryFnOnce};

/// A matrix whose columns are contiguous.
pub(crate) type Columns<'a, T> = MatMut<'a, T, usize, usize, ContiguousFwd>;

/// H = I − v vᵀ/τ, v = (1, `tail`).
pub(crate) struct Reflector<'a, T> {
    pub(crate) tail: &'a [T],
    pub(crate) tau: T,
}

impl<T: FaerScalar> Reflector<'_, T> {
    /// columns ← H columns, and the same for one vector. All of them have the length of v.
    ///
    /// Compiled for AVX2 too, but without fused operations: the bits are those of every processor.
    pub(crate) fn apply(&self, columns: Columns<'_, T>, vector: &mut [T]) {
        Arch::new().dispatch(Application {
            reflector: self,
            columns,
            vector,
        });
    }

    /// Applies it to N columns, which share what is read of v, with `LANES` partial sums of each
    /// product.
    #[inline(always)]
    fn apply_to<const N: usize, const LANES: usize>(&self, columns: [&mut [T]; N]) {
        let (chunks, rest) = self.tail.as_chunks::<LANES>();
        let columns = columns.map(|column| {
            let (first, below) = column.split_at_mut(1);
            (&mut first[0], &mut below[..self.tail.len()])
        });
        let mut sums = [[T::zero(); LANES]; N];
        for (i, v) in chunks.iter().enumerate() {
            for (sums, (_, below)) in sums.iter_mut().zip(&columns) {
                let below = &below[i * LANES..][..LANES];
                for lane in 0..LANES {
                    sums[lane] += v[lane] * below[lane];
                }
            }
        }
        let mut multiples = [T::zero(); N];
        for ((multiple, mut sums), (first, below)) in multiples.iter_mut().zip(sums).zip(&columns) {
            // Halves are added, as they lie in registers; of neighbours the compiler would make
            // shuffles between columns, which take longer than all products.
            let mut half = LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    sums[lane] += sums[half + lane];
                }
                half /= 2;
            }
            let mut dot = sums[0];
            for (&v, &entry) in rest.iter().zip(&below[chunks.len() * LANES..]) {
                dot += v * entry;
            }
            *multiple = (dot + **first) / self.tau;
        }
        for ((first, below), multiple) in columns.into_iter().zip(multiples) {
            *first -= multiple;
            for (entry, &v) in below.iter_mut().zip(self.tail) {
                *entry -= multiple * v;
            }
        }
    }
}

/// [`Reflector::apply`], as pulp compiles it for several sets of instructions.
struct Application<'a, T> {
    reflector: &'a Reflector<'a, T>,
    columns: Columns<'a, T>,
    vector: &'a mut [T],
}

impl<T: FaerScalar> Application<'_, T> {
    #[inline(always)]
    fn run<const LANES: usize>(self) {
        let Self {
            reflector,
            columns,
            vector,
        } = self;
        let whole = columns.ncols() - columns.ncols() % 4;
        let (fours, others) = columns.split_at_col_mut(whole);
        let mut fours = fours.col_iter_mut();
        while let (Some(a), Some(b), Some(c), Some(d)) =
            (fours.next(), fours.next(), fours.next(), fours.next())
        {
            reflector.apply_to::<4, LANES>([a, b, c, d].map(|column| column.as_slice_mut()));
        }
        for column in others.col_iter_mut() {
            reflector.apply_to::<1, LANES>([column.as_slice_mut()]);
        }
        reflector.apply_to::<1, LANES>([vector]);
    }
}

impl<T: FaerScalar> NullaryFnOnce for Application<'_, T> {
    type Output = ();

    /// Two registers of AVX2 for the sums of a product.
    #[inline(always)]
    fn call(self) {
        if size_of::<T>() < size_of::<f64>() {
            self.run::<16>();
        } else {
            self.run::<8>();
        }
    }
}
