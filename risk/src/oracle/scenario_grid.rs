//! The rule of [`crate::model::scenario_grid::parameters`], step by step in its own symbols.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;
use zkmargin_program::LegId;

use crate::amount::{to_f64, to_ratio};
use crate::instant::Instant;
use crate::market::Snapshot;
use crate::model::ScenarioGrid;
use crate::model::scenario_grid::parameters::{Group, Profit, Scenario, UnderlyingParameters};
use crate::oracle::coverage::{Coverage, NotCounted};
use crate::oracle::exact::ExactSum;
use crate::oracle::{
    Binding, Collateral, Evaluation, Exposure, GroupLoss, OracleError, RowProfit, larger, positive_part, smaller, whole,
};
use crate::scenario::{Shock, years};
use crate::universe::{Instrument, Kind, Line, Style, Universe};
use crate::valuation::{Denomination, ValueTable, Values, roll_rate};

/// What a scenario-grid model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub fn evaluate(
    model: &ScenarioGrid,
    universe: &Universe,
    snapshot: &Snapshot,
    legs: &[u64],
) -> Result<Evaluation, OracleError> {
    let coverage = Coverage { parameters: model.parameters(), universe, snapshot };
    let book = Book { coverage, legs, numeraire_price: coverage.numeraire_price()? };
    book.check_legs()?;
    let collateral = book.collateral();
    let parameters = model.parameters();

    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut underlyings = BTreeMap::new();
    for (name, rules) in &parameters.underlyings {
        if snapshot.underlyings.contains_key(name) {
            let (exposure, marks) = book.exposure(name, rules, &collateral)?;
            underlyings.insert(name.clone(), exposure);
            options += marks.options;
            futures += marks.futures;
        }
    }
    let groups: Vec<GroupLoss> = book.groups().iter().filter_map(|group| group_loss(group, &underlyings)).collect();

    let mut scaled = BigRational::zero();
    let mut provisions = BigRational::zero();
    for group in &groups {
        scaled += &group.body;
    }
    for exposure in underlyings.values() {
        scaled += &exposure.roll;
        provisions += &exposure.fees + &exposure.funding;
    }
    let value = collateral.iter().fold(&options + &futures, |sum, line| sum + &line.value);
    Ok(Evaluation {
        numeraire: parameters.numeraire.clone(),
        value,
        options,
        futures,
        collateral,
        underlyings,
        groups,
        initial: to_ratio(parameters.levels.initial) * &scaled + &provisions,
        maintenance: to_ratio(parameters.levels.maintenance) * scaled + provisions,
    })
}

/// A book with everything that the rule reads.
struct Book<'a> {
    coverage: Coverage<'a>,
    legs: &'a [u64],
    numeraire_price: BigRational,
}

/// Instruments with the same contracts per lot `l` and conversion `c`, and what the book has of them.
struct Class<'a> {
    contracts_per_lot: BigRational,
    conversion: BigRational,
    held: Vec<Held<'a>>,
}

/// What the book has of one instrument.
struct Held<'a> {
    instrument: &'a Instrument,
    values: &'a Values,
    /// `L` and `S` in lots.
    long: BigInt,
    short: BigInt,
}

/// `Σ c m q`, by kind.
struct Marks {
    options: BigRational,
    futures: BigRational,
}

/// Which group an underlying is in.
enum GroupOf<'a> {
    One(&'a str),
    Several(&'a Group),
}

impl Held<'_> {
    /// `L - S`.
    fn net(&self) -> BigInt {
        &self.long - &self.short
    }

    /// `L + S`.
    fn gross(&self) -> BigInt {
        &self.long + &self.short
    }

    const fn is_option(&self) -> bool {
        matches!(self.instrument.kind, Kind::Option { .. })
    }

    const fn is_perpetual(&self) -> bool {
        matches!(self.instrument.kind, Kind::Perpetual)
    }

    /// The expiry; `None` for the bucket of perpetuals.
    const fn bucket(&self) -> Option<Instant> {
        self.instrument.kind.expiry()
    }
}

/// `Σ figure · lots` over some of a class, exactly; lots and conversions are not in it.
fn sum<'h, 'a: 'h>(
    held: impl IntoIterator<Item = &'h Held<'a>>,
    figure: impl Fn(&Held<'a>) -> Option<f64>,
    lots: impl Fn(&Held<'a>) -> BigInt,
) -> Result<BigRational, OracleError> {
    let mut sum = ExactSum::default();
    for one in held {
        let added = figure(one).and_then(|x| sum.add(x, &lots(one)));
        added.ok_or_else(|| OracleError::NoValue { instrument: one.instrument.name.clone() })?;
    }
    Ok(sum.value())
}

impl<'a> Book<'a> {
    fn lots(&self, leg: LegId) -> u64 {
        self.legs.get(leg.index()).copied().unwrap_or(0)
    }

    /// Refuses a book of another universe, and one that holds what does not count.
    fn check_legs(&self) -> Result<(), OracleError> {
        let Coverage { universe, .. } = self.coverage;
        let slots = universe.layout().slots();
        if self.legs.len() != slots {
            return Err(OracleError::Length { length: self.legs.len(), slots });
        }
        let mut known = BTreeSet::new();
        let mut refused = Vec::new();
        for venue in universe.venues() {
            for line in &venue.lines {
                known.extend(line.legs().into_iter().map(|leg| leg.index()));
                let mut refuse = |line: String, reason| {
                    refused.push(NotCounted { venue: venue.name.clone(), line, reason });
                };
                match line {
                    Line::Instrument(instrument) => {
                        let is_held = self.lots(instrument.long) > 0 || self.lots(instrument.short) > 0;
                        if let (true, Err(reason)) = (is_held, self.coverage.instrument(venue, instrument)) {
                            refuse(instrument.name.clone(), reason);
                        }
                    }
                    Line::Asset(asset) => {
                        if let Err(reason) = self.coverage.line(asset) {
                            let carry = asset.carry.map_or(0, |pair| self.lots(pair.first).max(self.lots(pair.second)));
                            let reserve = asset.reserve.map_or(0, |leg| self.lots(leg));
                            let legs = [("debt", self.lots(asset.debt)), ("carry", carry), ("reserve", reserve)];
                            for (leg, _) in legs.iter().filter(|(_, lots)| *lots > 0) {
                                refuse(format!("{} {leg}", asset.label()), reason.clone());
                            }
                        }
                    }
                }
            }
        }
        if let Some(slot) = (0..slots).find(|slot| !known.contains(slot) && self.legs.get(*slot) != Some(&0)) {
            return Err(OracleError::NoLeg { slot });
        }
        if refused.is_empty() { Ok(()) } else { Err(OracleError::NotCounted(refused)) }
    }

    /// The asset terms of `V`, one per asset of which there is anything.
    fn collateral(&self) -> Vec<Collateral> {
        let mut lines: BTreeMap<String, Collateral> = BTreeMap::new();
        for (_, asset) in self.coverage.universe.assets() {
            let coins = |lots: u64| to_ratio(asset.lot) * whole(lots);
            let balance = coins(self.lots(asset.balance));
            let debt = coins(self.lots(asset.debt));
            let carry = asset.carry.map_or_else(BigRational::zero, |pair| {
                coins(self.lots(pair.first)) - coins(self.lots(pair.second))
            });
            let reserve = asset.reserve.map_or_else(BigRational::zero, |leg| coins(self.lots(leg)));
            let line = lines.entry(asset.label()).or_insert_with(|| self.empty_line(asset));
            line.balance += balance;
            line.debt += debt;
            line.carry += carry;
            line.reserve += reserve;
        }
        let mut lines: Vec<Collateral> = lines.into_values().collect();
        lines.retain(|line| [&line.balance, &line.debt, &line.carry, &line.reserve].iter().any(|coins| !coins.is_zero()));
        for line in &mut lines {
            let Some(price) = &line.price else { continue };
            let conversion = price / &self.numeraire_price;
            let owed = &line.carry - &line.debt - &line.reserve;
            line.market_value = &conversion * (&line.balance + &owed);
            if line.uncounted.is_none() {
                let capped = line.cap.clone().map_or_else(|| line.balance.clone(), |cap| smaller(line.balance.clone(), cap));
                line.counted = (BigRational::one() - &line.haircut) * capped;
                line.value = conversion * (&line.counted + owed);
            }
        }
        lines
    }

    fn empty_line(&self, asset: &crate::universe::Asset) -> Collateral {
        let rules = self.coverage.parameters.assets.get(&asset.name);
        let zero = BigRational::zero();
        Collateral {
            asset: asset.label(),
            uncounted: self.coverage.line(asset).err(),
            balance: zero.clone(),
            debt: zero.clone(),
            carry: zero.clone(),
            reserve: zero.clone(),
            price: self.coverage.price(&asset.name),
            haircut: rules.map_or_else(BigRational::zero, |rules| to_ratio(rules.haircut)),
            cap: rules.and_then(|rules| rules.cap).map(to_ratio),
            counted: zero.clone(),
            value: zero.clone(),
            market_value: zero,
        }
    }

    /// The rows and floors of one underlying, which the snapshot has, and the marks of what is held on it.
    fn exposure(
        &self,
        name: &str,
        rules: &UnderlyingParameters,
        collateral: &[Collateral],
    ) -> Result<(Exposure, Marks), OracleError> {
        let Coverage { parameters, universe, snapshot } = self.coverage;
        let no_market = || OracleError::NoValue { instrument: name.to_owned() };
        let market = snapshot.underlyings.get(name).ok_or_else(no_market)?;
        // A checked model has a grid for every underlying, and moves above -1.
        let rows: &[Scenario] = parameters.grids.get(&rules.grid).ok_or_else(no_market)?;
        let shocks: Vec<Shock> = rows.iter().map(Scenario::shock).collect::<Option<_>>().ok_or_else(no_market)?;
        let denomination = match rules.profit {
            Profit::Coin => Denomination::Coin,
            Profit::Usd => Denomination::Usd,
        };
        let held: Vec<&Instrument> = universe
            .instruments()
            .map(|(_, instrument)| instrument)
            .filter(|instrument| instrument.underlying == name)
            .filter(|instrument| self.lots(instrument.long) > 0 || self.lots(instrument.short) > 0)
            .collect();
        let table = ValueTable::new(
            market,
            snapshot.instant,
            denomination,
            &rules.volatility,
            &shocks,
            held.iter().copied(),
        )
        .map_err(|source| OracleError::Pricing { underlying: name.to_owned(), source })?;
        let classes = self.classes(&held, &table, rules.profit)?;

        let index = to_ratio(market.index) / &self.numeraire_price;
        let (marks, unweighted) = self.profits(name, rules.profit, rows, &classes, collateral)?;
        let deltas = deltas(&classes)?;
        let provision = |rate: Decimal, coins: &BigRational| &index * to_ratio(rate) * coins;
        let delta_provision = rules.delta_provision.map_or_else(BigRational::zero, |rates| {
            provision(rates.net, &deltas.net.abs()) + provision(rates.gross, &deltas.gross)
        });
        let funding = market.perpetual.as_ref().map_or(Decimal::ZERO, |perpetual| perpetual.funding);
        let exposure = Exposure {
            rows: unweighted
                .into_iter()
                .zip(rows)
                .map(|(profit, row)| RowProfit { weighted: to_ratio(row.weight) * &profit, profit })
                .collect(),
            delta_provision,
            short_option_minimum: provision(rules.short_option_minimum, &deltas.short_options),
            roll: &index * self.roll(rules, &classes)?,
            fees: provision(rules.option_fee, &deltas.options) + provision(rules.future_fee, &deltas.futures),
            funding: &index * to_ratio(rules.funding_intervals) * paid_funding(&classes, to_ratio(funding))?,
            net_delta: deltas.net,
            gross_delta: deltas.gross,
        };
        Ok((exposure, marks))
    }

    /// Sorts what is held by contracts per lot and by `c`.
    fn classes<'t>(&self, held: &[&'t Instrument], table: &'t ValueTable, profit: Profit) -> Result<Vec<Class<'t>>, OracleError>
    where
        'a: 't,
    {
        let mut classes: Vec<Class<'t>> = Vec::new();
        for &instrument in held {
            let no_value = || OracleError::NoValue { instrument: instrument.name.clone() };
            let values = table.get(instrument.long).ok_or_else(no_value)?;
            let usd = match (profit, instrument.style) {
                // A coin of the underlying is worth its index.
                (Profit::Coin, _) => self.coverage.snapshot.underlyings.get(&instrument.underlying).map(|m| to_ratio(m.index)),
                (Profit::Usd, Style::Inverse) => Some(BigRational::one()),
                (Profit::Usd, Style::Linear) => self.coverage.price(&instrument.settlement),
            };
            let conversion = usd.ok_or_else(no_value)? / &self.numeraire_price;
            let contracts_per_lot = to_ratio(instrument.lot);
            let found = classes
                .iter_mut()
                .find(|class| class.contracts_per_lot == contracts_per_lot && class.conversion == conversion);
            let one = Held {
                instrument,
                values,
                long: BigInt::from(self.lots(instrument.long)),
                short: BigInt::from(self.lots(instrument.short)),
            };
            match found {
                Some(class) => class.held.push(one),
                None => classes.push(Class { contracts_per_lot, conversion, held: vec![one] }),
            }
        }
        Ok(classes)
    }

    /// The marks, and `Π_{u,r} / w_r` of each row.
    fn profits(
        &self,
        name: &str,
        profit: Profit,
        rows: &[Scenario],
        classes: &[Class<'_>],
        collateral: &[Collateral],
    ) -> Result<(Marks, Vec<BigRational>), OracleError> {
        let mut marks = Marks { options: BigRational::zero(), futures: BigRational::zero() };
        let mut profits = vec![BigRational::zero(); rows.len()];
        for class in classes {
            let factor = &class.conversion * &class.contracts_per_lot;
            let (options, futures): (Vec<&Held>, Vec<&Held>) = class.held.iter().partition(|held| held.is_option());
            let options = sum(options, |held| Some(held.values.mark), Held::net)?;
            let futures = sum(futures, |held| Some(held.values.mark), Held::net)?;
            let mark = &options + &futures;
            marks.options += &factor * options;
            marks.futures += &factor * futures;
            for (row, total) in profits.iter_mut().enumerate() {
                let shocked = sum(&class.held, |held| held.values.shocked.get(row).copied(), Held::net)?;
                *total += &factor * (shocked - &mark);
            }
        }
        if profit == Profit::Usd {
            let moving = self.moving_collateral(name, collateral);
            for (total, row) in profits.iter_mut().zip(rows) {
                *total += to_ratio(row.price_move) * &moving;
            }
        }
        Ok((marks, profits))
    }

    /// `Σ (p_a / p_M) A_a` over the assets that move with an underlying.
    fn moving_collateral(&self, name: &str, collateral: &[Collateral]) -> BigRational {
        let parameters = self.coverage.parameters;
        let mut moving = BigRational::zero();
        for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
            let moves_with = parameters.assets.get(&line.asset).and_then(|asset| asset.underlying.as_deref());
            if let (true, Some(price)) = (moves_with == Some(name), &line.price) {
                let amount = if parameters.collateral_in_scenarios {
                    &line.carry + &line.balance - &line.debt - &line.reserve
                } else {
                    line.carry.clone()
                };
                moving += price / &self.numeraire_price * amount;
            }
        }
        moving
    }

    /// `Σ_e |Σ ω q|` in coins.
    fn roll(&self, rules: &UnderlyingParameters, classes: &[Class<'_>]) -> Result<BigRational, OracleError> {
        let Some(roll) = rules.roll else {
            return Ok(BigRational::zero());
        };
        let (annual_move, least) = (to_f64(roll.annual_move), to_f64(roll.least));
        let rate = |bucket: Option<Instant>| {
            bucket.map_or(least, |expiry| roll_rate(annual_move, least, years(self.coverage.snapshot.instant, expiry)))
        };
        let held = || classes.iter().flat_map(|class| &class.held);
        let buckets: BTreeSet<Option<Instant>> = held().map(Held::bucket).collect();
        let mut total = BigRational::zero();
        for bucket in buckets {
            let rate = rate(bucket);
            let mut net = BigRational::zero();
            for class in classes {
                let in_bucket = class.held.iter().filter(|held| held.bucket() == bucket);
                net += &class.contracts_per_lot * sum(in_bucket, |held| Some(held.values.delta * rate), Held::net)?;
            }
            total += net.abs();
        }
        Ok(total)
    }

    /// The groups of the rule, in the order of the file, then each remaining underlying by itself.
    fn groups(&self) -> Vec<GroupOf<'a>> {
        let parameters = self.coverage.parameters;
        let grouped: BTreeSet<&String> = parameters.groups.iter().flat_map(|group| &group.underlyings).collect();
        let alone = parameters.underlyings.keys().filter(|name| !grouped.contains(name));
        parameters.groups.iter().map(GroupOf::Several).chain(alone.map(|name| GroupOf::One(name))).collect()
    }
}

/// Sums in coins of the underlying.
struct Deltas {
    /// `Δ`.
    net: BigRational,
    /// `Γ`.
    gross: BigRational,
    /// `Σ |δ| g` over futures and perpetuals.
    futures: BigRational,
    /// `Σ k g` over options.
    options: BigRational,
    /// `Σ k l S` over options.
    short_options: BigRational,
}

fn deltas(classes: &[Class<'_>]) -> Result<Deltas, OracleError> {
    let zero = BigRational::zero();
    let mut deltas =
        Deltas { net: zero.clone(), gross: zero.clone(), futures: zero.clone(), options: zero.clone(), short_options: zero };
    for class in classes {
        let lot = &class.contracts_per_lot;
        let futures = class.held.iter().filter(|held| !held.is_option());
        deltas.net += lot * sum(&class.held, |held| Some(held.values.delta), Held::net)?;
        deltas.gross += lot * sum(&class.held, |held| Some(held.values.delta.abs()), Held::gross)?;
        deltas.futures += lot * sum(futures, |held| Some(held.values.delta.abs()), Held::gross)?;
        for held in class.held.iter().filter(|held| held.is_option()) {
            let size = lot * to_ratio(held.instrument.contract);
            deltas.options += &size * BigRational::from_integer(held.gross());
            deltas.short_options += size * BigRational::from_integer(held.short.clone());
        }
    }
    Ok(deltas)
}

/// `Σ |δ| l ( max(φ, 0) L + max(-φ, 0) S )` over perpetuals, in coins.
fn paid_funding(classes: &[Class<'_>], funding: BigRational) -> Result<BigRational, OracleError> {
    let (by_longs, by_shorts) = (positive_part(funding.clone()), positive_part(-funding));
    let mut total = BigRational::zero();
    for class in classes {
        let perpetuals = || class.held.iter().filter(|held| held.is_perpetual());
        let long = sum(perpetuals(), |held| Some(held.values.delta.abs()), |held| held.long.clone())?;
        let short = sum(perpetuals(), |held| Some(held.values.delta.abs()), |held| held.short.clone())?;
        total += &class.contracts_per_lot * (&by_longs * long + &by_shorts * short);
    }
    Ok(total)
}

/// `body_g`. Underlyings that the snapshot does not have are not among the exposures and lose nothing; `None` if it has none of them.
fn group_loss(group: &GroupOf<'_>, exposures: &BTreeMap<String, Exposure>) -> Option<GroupLoss> {
    let names: Vec<String> = match group {
        GroupOf::One(name) => vec![(*name).to_owned()],
        GroupOf::Several(group) => group.underlyings.clone(),
    };
    let members: Vec<&Exposure> = names.iter().filter_map(|name| exposures.get(name)).collect();
    let kept = |gain: &BigRational| match group {
        GroupOf::One(_) => gain.clone(),
        GroupOf::Several(group) => {
            let part = smaller(gain.clone(), to_ratio(group.gain_factor) * gain);
            group.gain_cap.map_or_else(|| part.clone(), |cap| smaller(part.clone(), to_ratio(cap)))
        }
    };
    let rows = members.iter().map(|exposure| exposure.rows.len()).max()?;
    let losses: Vec<BigRational> = (0..rows)
        .map(|row| {
            let profits = members.iter().filter_map(|exposure| exposure.rows.get(row));
            -profits.fold(BigRational::zero(), |sum, profit| sum + kept(&profit.weighted))
        })
        .collect();
    let total = |part: fn(&Exposure) -> &BigRational| members.iter().fold(BigRational::zero(), |sum, one| sum + part(one));
    let delta_provision = total(|exposure| &exposure.delta_provision);
    let short_option_minimum = total(|exposure| &exposure.short_option_minimum);

    let mut worst = 0;
    for (row, loss) in losses.iter().enumerate() {
        if losses.get(worst).is_some_and(|largest| loss > largest) {
            worst = row;
        }
    }
    let (mut body, mut binding) = (BigRational::zero(), Binding::Nothing);
    let candidates = [
        (losses.get(worst), Binding::Scenario),
        (Some(&delta_provision), Binding::DeltaProvision),
        (Some(&short_option_minimum), Binding::ShortOptionMinimum),
    ];
    for (candidate, which) in candidates {
        if let Some(candidate) = candidate.filter(|candidate| **candidate > body) {
            (body, binding) = (larger(body, candidate.clone()), which);
        }
    }
    Some(GroupLoss { underlyings: names, losses, worst, delta_provision, short_option_minimum, body, binding })
}
