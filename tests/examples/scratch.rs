#![allow(missing_docs)]
use std::time::Instant;
use zkmargin_circuits::Placement;
use zkmargin_program::*;
fn main() {
    for (k, cols, n) in [(6u32, 256usize, 100usize), (6, 256, 200), (6, 256, 350), (6, 256, 400), (6,256,430),(6,256,460), (6,256,600)] {
        let legs: Vec<LegId> = (0..48).map(LegId::new).collect();
        let layout = Layout::new(k, vec![0; cols], legs, vec![]).unwrap();
        let mut b = Builder::new(layout, Header { numeraire: "USD".into(), unit_exponent: -10, value_bits: 40 }).unwrap();
        let items: Vec<_> = (0..n).map(|i| { let mut f = Linear::zero(); f.add_leg(LegId::new((i % 48) as u32), Real::from_integer(1 + i as i64)); b.upper(&f).unwrap() }).collect();
        let norm = b.norm("n", items).unwrap();
        let c = b.lower(&Linear::constant(Real::from_integer(1000))).unwrap();
        b.require_non_negative("m", c - norm).unwrap();
        let p = b.finish().unwrap();
        let t = Instant::now();
        let r = Placement::new(&p).map(|p| (p.shape().z_columns(), p.shape().square_columns(), p.shape().limb_bits()));
        println!("k {k} columns {cols} squares {n}: {:?} in {:?}", r.map_err(|e| e.to_string()), t.elapsed());
    }
}
