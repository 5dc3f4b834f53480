//! Products of a matrix and a vector over slices, for backends whose library has none that is
//! fast for chosen columns.
//!
//! The "columns" are any contiguous lines of memory of one length: the columns of a column-major
//! matrix or the rows of a row-major one. [`combine`] serves A·x of the first and Aᵀ·y of the
//! second; [`dots`] the other two. Both read every line once and the vector from cache.
//!
//! Accumulation is in `T`, in short chains, so that single precision keeps its digits over long
//! sums; the bounds are stated with γ_k = k u / (1 − k u), u the unit roundoff.

use crate::scalar::Scalar;

/// Entries of every line that [`combine`] works on before it turns to the next lines: few enough for
/// that part of the result to stay in the second-level cache, enough for the prefetcher to pay. From
/// memory 2048 read at three quarters of the rate, and 16384 no faster.
const BLOCK: usize = 8192;

/// The same for a result that is no longer: memory for a block is cleared at each call.
const SHORT_BLOCK: usize = 1024;

/// Lines whose multiples are summed before they are added to the result.
const GROUP: usize = 256;

/// Entries of every line that [`dots`] works on before it turns to the next lines. The vector is
/// only read, so the second-level cache is near enough.
const LONG_BLOCK: usize = 16 * 1024;

/// Entries whose products are summed before they are added to the result.
const STRETCH: usize = 1024;

/// Partial sums of a stretch; they let the compiler vectorise.
const LANES: usize = 4;

/// y = Σ xⱼ column(j) over all entries of `x`. Every column has the length of `y`.
///
/// With k = `x.len()`: |error| ≤ γ_c Σ |xⱼ| |column(j)|, c = 69 + k/256.
pub fn combine<'a, T: Scalar>(column: impl Fn(usize) -> &'a [T], x: &[T], y: &mut [T]) {
    if x.len() > GROUP {
        return match y.len() {
            0..=SHORT_BLOCK => combine_groups::<T, SHORT_BLOCK>(column, x, y),
            _ => combine_groups::<T, BLOCK>(column, x, y),
        };
    }
    for (block, y) in y.chunks_mut(BLOCK).enumerate() {
        y.fill(T::zero());
        add_multiples(|j| &column(j)[block * BLOCK..], x, y);
    }
}

/// [`combine`] of more than a group, so many entries at a time. On its own, so that few columns need no
/// memory for a block.
#[inline(never)]
fn combine_groups<'a, T: Scalar, const ENTRIES: usize>(
    column: impl Fn(usize) -> &'a [T],
    x: &[T],
    y: &mut [T],
) {
    let mut buffer = [T::zero(); ENTRIES];
    for (block, y) in y.chunks_mut(ENTRIES).enumerate() {
        let start = block * ENTRIES;
        let partial = &mut buffer[..y.len()];
        y.fill(T::zero());
        for (group, x) in x.chunks(GROUP).enumerate() {
            partial.fill(T::zero());
            add_multiples(|j| &column(group * GROUP + j)[start..], x, partial);
            for (y, &p) in y.iter_mut().zip(&*partial) {
                *y += p;
            }
        }
    }
}

/// xⱼ = column(j)ᵀ y for all entries of `x`, for each of V vectors y with its x, in one pass over the
/// columns. Every column has the length of the vectors. A vector's bits do not depend on V.
///
/// With m that length: |error| ≤ γ_c |column(j)|ᵀ |y|, c = 279 + m/16384.
pub fn dots<'a, T: Scalar, const V: usize>(
    column: impl Fn(usize) -> &'a [T],
    y: [&[T]; V],
    x: [&mut [T]; V],
) {
    // So many columns are read side by side, which hides some of the wait for memory. With two vectors
    // the sums of a fourth column would leave no vector register for anything else.
    if V == 1 {
        dots_by_groups::<T, 4, V>(column, y, x);
    } else {
        dots_by_groups::<T, 3, V>(column, y, x);
    }
}

/// [`dots`], N columns at a time.
fn dots_by_groups<'a, T: Scalar, const N: usize, const V: usize>(
    column: impl Fn(usize) -> &'a [T],
    y: [&[T]; V],
    mut x: [&mut [T]; V],
) {
    let (length, count) = (y[0].len(), x[0].len());
    for x in &mut x {
        x.fill(T::zero());
    }
    for start in (0..length).step_by(LONG_BLOCK) {
        let end = length.min(start + LONG_BLOCK);
        let y = y.map(|y| &y[start..end]);
        let part = |j: usize| &column(j)[start..end];
        let whole = count - count % N;
        for first in (0..whole).step_by(N) {
            let parts = std::array::from_fn::<_, N, _>(|i| part(first + i));
            for (x, dots) in x.iter_mut().zip(dot_many(parts, y)) {
                for (x, dot) in x[first..].iter_mut().zip(dots) {
                    *x += dot;
                }
            }
        }
        for j in whole..count {
            for (x, [dot]) in x.iter_mut().zip(dot_many([part(j)], y)) {
                x[j] += dot;
            }
        }
    }
}

/// out = S line for the S of [`combine_rows`](crate::LinearBackend::combine_rows): entry i of a line,
/// multiplied by `factors[i]`, is added to entry `buckets[i]` of `out`.
pub fn combine_entries<T: Scalar>(line: &[T], buckets: &[usize], factors: &[T], out: &mut [T]) {
    out.fill(T::zero());
    for ((&entry, &bucket), &factor) in line.iter().zip(buckets).zip(factors) {
        out[bucket] += factor * entry;
    }
}

/// y += Σ xⱼ column(j), four at a time: y is then read and written once for four columns.
fn add_multiples<'a, T: Scalar>(column: impl Fn(usize) -> &'a [T], x: &[T], y: &mut [T]) {
    let length = y.len();
    let whole = x.len() - x.len() % 4;
    for j in (0..whole).step_by(4) {
        let [a, b, c, d] = [j, j + 1, j + 2, j + 3].map(|j| &column(j)[..length]);
        let [xa, xb, xc, xd] = [x[j], x[j + 1], x[j + 2], x[j + 3]];
        for i in 0..length {
            y[i] += (xa * a[i] + xb * b[i]) + (xc * c[i] + xd * d[i]);
        }
    }
    for (j, &x) in x.iter().enumerate().skip(whole) {
        for (y, &a) in y.iter_mut().zip(&column(j)[..length]) {
            *y += x * a;
        }
    }
}

/// The dot products of V vectors, each with N columns, which are loaded once for all of them. Out of line,
/// so that what the compiler keeps in registers does not depend on the caller.
#[inline(never)]
fn dot_many<T: Scalar, const N: usize, const V: usize>(
    columns: [&[T]; N],
    y: [&[T]; V],
) -> [[T; N]; V] {
    let mut dots = [[T::zero(); N]; V];
    let length = y[0].len();
    for start in (0..length).step_by(STRETCH) {
        let end = length.min(start + STRETCH);
        let lines = columns.map(|column| column[start..end].as_chunks::<LANES>());
        let vectors = y.map(|y| y[start..end].as_chunks::<LANES>());
        let whole = (end - start) / LANES;
        let line_chunks = lines.map(|(chunks, _)| &chunks[..whole]);
        let vector_chunks = vectors.map(|(chunks, _)| &chunks[..whole]);
        let mut lanes = [[[T::zero(); LANES]; N]; V];
        for i in 0..whole {
            for n in 0..N {
                for v in 0..V {
                    add_products(&mut lanes[v][n], &line_chunks[n][i], &vector_chunks[v][i]);
                }
            }
        }
        let sums = sum_lanes(&lanes);
        for ((dots, sums), (_, y_rest)) in dots.iter_mut().zip(sums).zip(vectors) {
            for ((dot, mut sum), (_, rest)) in dots.iter_mut().zip(sums).zip(lines) {
                for (&entry, &y) in rest.iter().zip(y_rest) {
                    sum += entry * y;
                }
                *dot += sum;
            }
        }
    }
    dots
}

/// Each product goes to its lane.
#[inline(always)]
fn add_products<T: Scalar>(lanes: &mut [T; LANES], a: &[T; LANES], b: &[T; LANES]) {
    for lane in 0..LANES {
        lanes[lane] += a[lane] * b[lane];
    }
}

/// The sums of the lanes. Out of line: seen together with the products, the compiler puts lanes of
/// different columns in one register and shuffles them for every entry.
#[inline(never)]
fn sum_lanes<T: Scalar, const N: usize, const V: usize>(
    lanes: &[[[T; LANES]; N]; V],
) -> [[T; N]; V] {
    lanes.map(|lanes| lanes.map(|[a, b, c, d]| (a + b) + (c + d)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Miri interprets, at a thousandth of the speed.
    const LENGTHS: &[usize] = if cfg!(miri) {
        &[0, 1, 7, 8, 100, 2049]
    } else {
        &[0, 1, 7, 8, 100, 2047, 2049, 16_384, 20_001]
    };
    const COUNTS: &[usize] = if cfg!(miri) {
        &[0, 1, 3, 4, 5, 6]
    } else {
        &[0, 1, 3, 4, 5, 6, 600]
    };

    /// Small whole numbers: every order of additions gives the same sum.
    fn entry(i: usize, j: usize) -> f64 {
        ((i * 7 + j * 5) % 11) as f64 - 5.0
    }

    #[test]
    fn both_products_agree_with_plain_loops() {
        for &length in LENGTHS {
            let y: Vec<f64> = (0..length).map(|i| entry(i, 3)).collect();
            let columns: Vec<Vec<f64>> = (0..COUNTS[COUNTS.len() - 1])
                .map(|j| (0..length).map(|i| entry(i, j)).collect())
                .collect();
            for &count in COUNTS {
                let x: Vec<f64> = (0..count).map(|j| entry(j, 8)).collect();
                let mut sum = vec![f64::NAN; length];
                combine(|j| &columns[j], &x, &mut sum);
                for (i, &sum) in sum.iter().enumerate() {
                    let expected: f64 = (0..count).map(|j| x[j] * columns[j][i]).sum();
                    assert_eq!(
                        sum, expected,
                        "combine {count} columns of {length}, row {i}"
                    );
                }
                let mut dot = vec![f64::NAN; count];
                let other: Vec<f64> = (0..length).map(|i| entry(i, 4)).collect();
                let mut other_dot = dot.clone();
                dots(|j| &columns[j], [&other, &y], [&mut other_dot, &mut dot]);
                let mut alone = vec![f64::NAN; count];
                dots(|j| &columns[j], [&y], [&mut alone]);
                assert_eq!(dot, alone, "two vectors, {count} columns of {length}");
                dots(|j| &columns[j], [&other], [&mut alone]);
                assert_eq!(other_dot, alone, "two vectors, {count} columns of {length}");
                for (j, &dot) in dot.iter().enumerate() {
                    let expected: f64 = columns[j].iter().zip(&y).map(|(a, y)| a * y).sum();
                    assert_eq!(
                        dot, expected,
                        "dots of {count} columns of {length}, column {j}"
                    );
                }
            }
        }
    }

    /// What one running sum of 2·10⁵ terms loses, 10⁻³ of its value, is far outside these bounds.
    #[test]
    #[cfg_attr(miri, ignore = "too long to interpret")]
    fn long_sums_in_single_precision_keep_their_digits() {
        let ones = vec![1.0_f32; 200_000];
        let tenths = vec![0.1_f32; 200_000];
        let expected = f64::from(0.1_f32) * 200_000.0;
        let relative = |sum: f32| (f64::from(sum) / expected - 1.0).abs();
        let unit_roundoff = f64::from(f32::UNIT_ROUNDOFF);

        let mut dot = [0.0];
        dots(|_| &ones, [&tenths], [&mut dot]);
        assert!(relative(dot[0]) < 292.0 * unit_roundoff);

        let mut sum = [0.0];
        combine(|_| &ones[..1], &tenths, &mut sum);
        assert!(relative(sum[0]) < 851.0 * unit_roundoff);

        let running = tenths.iter().fold(0.0, |sum, tenth| sum + tenth);
        assert!(relative(running) > 2000.0 * unit_roundoff);
    }
}
