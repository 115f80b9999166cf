//! The demonstration's data: the same rows every time, from a small generator with a fixed seed.

use std::sync::Arc;

use jiff::{ToSpan, civil::Date};
use kernel::{Error, WriteContext};
use serde_json::json;
use store::{Change, Database, Insert, Value};

use super::words::{BUILDINGS, CATEGORIES, COLOURS, CONDITIONS, FAULTS, FIRST_NAMES, LAST_NAMES, MAKERS, NOTES, ROOMS};
use crate::failure::Result;

const PEOPLE: usize = 300;
const LOCATIONS: usize = 60;
const ASSETS: usize = 6_000;
const LOANS: usize = 8_000;
const MAINTENANCE: usize = 1_000;
/// Rows of an insert.
const CHUNK: usize = 200;
/// The day on which the school's year is told.
const TODAY: Date = jiff::civil::date(2026, 11, 20);

/// Fills the tables. `owners` are the numbers of the users that rows are pinned to in turn.
pub(super) async fn fill(database: &Database, owners: &[i64]) -> Result<()> {
    let mut dice = Dice(0x1_5001_a5ee_d5e7);
    let people = insert(database, "people", &PERSON, (0..PEOPLE).map(|n| person(&mut dice, n)).collect()).await?;
    let categories = insert_categories(database).await?;
    let columns = ["building", "floor", "room", "name"];
    let locations = insert(database, "locations", &columns, (0..LOCATIONS).map(location).collect()).await?;
    let rows = (0..ASSETS).map(|n| asset(&mut dice, n, &categories, &locations, owners)).collect();
    let assets = insert(database, "assets", &ASSET, rows).await?;
    let rows = (0..LOANS).map(|n| loan(&mut dice, n, &assets, &people, owners)).collect();
    insert(database, "loans", &LOAN, rows).await?;
    let rows = (0..MAINTENANCE).map(|_| repair(&mut dice, &assets, owners)).collect();
    insert(database, "maintenance", &REPAIR, rows).await?;
    Ok(())
}

/// Inserts rows in one transaction and gives their keys.
async fn insert(database: &Database, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<Vec<i64>> {
    let schema = database.schema();
    let missing = || Error::internal(format!("the table {table} of the demonstration is not as it was made"));
    let table = schema.table(table).ok_or_else(missing)?;
    let columns: Option<Vec<usize>> = columns.iter().map(|column| table.position(column)).collect();
    let columns = columns.ok_or_else(missing)?;
    let change = |rows: &[Vec<Value>]| {
        let (table, columns) = (Arc::clone(table), columns.clone());
        Change::Insert(Insert { table, columns, rows: rows.to_vec(), guard: None })
    };
    let changes: Arc<[Change]> = rows.chunks(CHUNK).map(change).collect();
    let context = WriteContext::system();
    let keys = database.transaction(&context, move |transaction| {
        let changes = Arc::clone(&changes);
        Box::pin(async move {
            let mut keys = Vec::new();
            for change in &*changes {
                keys.extend(transaction.apply(change).await?.keys);
            }
            Ok(keys)
        })
    });
    let number = |key: Vec<Value>| match key.as_slice() {
        [Value::Int(number)] => Ok(*number),
        _ => Err(missing().into()),
    };
    keys.await?.into_iter().map(number).collect()
}

/// What is kept in a category, and its key.
type Shelf = (i64, &'static [&'static str]);

async fn insert_categories(database: &Database) -> Result<Vec<Shelf>> {
    let tops = CATEGORIES.iter().map(|(name, _)| vec![Value::from(*name)]).collect();
    let tops = insert(database, "categories", &["name"], tops).await?;
    let below =
        || CATEGORIES.iter().zip(&tops).flat_map(|((_, below), top)| below.iter().map(move |shelf| (top, shelf)));
    let rows = below().map(|(top, (name, _))| vec![Value::from(*top), Value::from(*name)]).collect();
    let keys = insert(database, "categories", &["parent_id", "name"], rows).await?;
    Ok(keys.into_iter().zip(below()).map(|(key, (_, (_, things)))| (key, *things)).collect())
}

const PERSON: [&str; 7] = ["name", "email", "card", "kind", "class", "joined_on", "active"];

fn person(dice: &mut Dice, n: usize) -> Vec<Value> {
    let (first, last) = (dice.pick(&FIRST_NAMES), dice.pick(&LAST_NAMES));
    let kind = *dice.pick(&["pupil", "pupil", "pupil", "pupil", "teacher", "staff"]);
    let class = (kind == "pupil").then(|| format!("{}{}", 5 + dice.below(8), dice.pick(&["a", "b", "c"])));
    let mail = format!("{}.{}{}@school.example", first.to_lowercase(), last.to_lowercase(), n + 1);
    vec![
        format!("{first} {last}").into(),
        Value::from((dice.below(20) > 0).then_some(mail)),
        format!("C{:05}", 10_000 + n * 7).into(),
        kind.into(),
        class.into(),
        days_ago(dice.below(2_500) as i64),
        Value::from(dice.below(30) > 0),
    ]
}

fn location(n: usize) -> Vec<Value> {
    let (building, letter) = BUILDINGS[n % BUILDINGS.len()];
    let (floor, room) = ((n / 20) as i64, n / BUILDINGS.len() % 5 + 1);
    let number = format!("{letter}{floor}{room:02}");
    vec![building.into(), floor.into(), number.clone().into(), format!("{} {number}", ROOMS[room - 1]).into()]
}

const ASSET: [&str; 14] = [
    "tag",
    "name",
    "category_id",
    "location_id",
    "price",
    "purchased_on",
    "warranty_until",
    "condition",
    "is_loanable",
    "attributes",
    "created_at",
    "created_by",
    "last_modified_by",
    "pinned_to",
];

fn asset(dice: &mut Dice, n: usize, shelves: &[Shelf], locations: &[i64], owners: &[i64]) -> Vec<Value> {
    let (category, things) = *dice.pick(shelves);
    let (maker, model) = (*dice.pick(&MAKERS), dice.below(900) + 100);
    let age = dice.below(2_000) as i64;
    let condition = *dice.pick(&CONDITIONS);
    let accessories = &["charger", "bag", "cable"][..dice.below(4) as usize];
    let attributes = json!({
        "maker": maker,
        "model": format!("{}-{model}", &maker[..1]),
        "colour": dice.pick(&COLOURS),
        "weight_kg": dice.below(80) as f64 / 10.0 + 0.1,
        "accessories": accessories,
    });
    let owner = owners[n % owners.len()];
    vec![
        format!("EQ-{:05}", n + 1).into(),
        format!("{maker} {}", dice.pick(things)).into(),
        category.into(),
        (*dice.pick(locations)).into(),
        Value::from((dice.below(15) > 0).then(|| dice.price(900))),
        days_ago(age),
        Value::from((dice.below(3) > 0).then(|| (TODAY - (age - 730).days()).to_string())),
        condition.into(),
        Value::from(condition != "retired" && dice.below(10) > 0),
        attributes.to_string().into(),
        moment(age, dice),
        owner.into(),
        Value::Null,
        owner.into(),
    ]
}

const LOAN: [&str; 10] = [
    "asset_id",
    "person_id",
    "borrowed_at",
    "due_on",
    "returned_at",
    "fee",
    "note",
    "created_at",
    "created_by",
    "pinned_to",
];

fn loan(dice: &mut Dice, n: usize, assets: &[i64], people: &[i64], owners: &[i64]) -> Vec<Value> {
    let age = dice.below(400) as i64;
    let length = 1 + dice.below(21) as i64;
    let kept = length + dice.below(10) as i64 - 6;
    let returned = kept >= 0 && kept < age && dice.below(12) > 0;
    let late = returned && kept > length;
    let borrowed = moment(age, dice);
    let owner = owners[n % owners.len()];
    vec![
        (*dice.pick(assets)).into(),
        (*dice.pick(people)).into(),
        borrowed.clone(),
        days_ago(age - length),
        if returned { moment(age - kept, dice) } else { Value::Null },
        Value::from(late.then(|| format!("{}.50", kept - length))),
        Value::from((dice.below(5) == 0).then(|| *dice.pick(&NOTES))),
        borrowed,
        owner.into(),
        owner.into(),
    ]
}

const REPAIR: [&str; 7] = ["asset_id", "kind", "done_on", "cost", "description", "created_by", "pinned_to"];

fn repair(dice: &mut Dice, assets: &[i64], owners: &[i64]) -> Vec<Value> {
    let (kind, description) = *dice.pick(&FAULTS);
    let owner = owners[0];
    vec![
        (*dice.pick(assets)).into(),
        kind.into(),
        days_ago(dice.below(700) as i64),
        Value::from((kind != "cleaning").then(|| dice.price(150))),
        description.into(),
        owner.into(),
        owner.into(),
    ]
}

fn days_ago(days: i64) -> Value {
    (TODAY - days.days()).to_string().into()
}

/// Some moment of a school day.
fn moment(days: i64, dice: &mut Dice) -> Value {
    let (hour, minute) = (7 + dice.below(10), dice.below(60));
    format!("{} {hour:02}:{minute:02}:00", TODAY - days.days()).into()
}

/// `SplitMix64`: the same numbers on every machine and in every version.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// A price with two digits behind the point.
    fn price(&mut self, up_to: u64) -> String {
        format!("{}.{:02}", 5 + self.below(up_to), self.below(100))
    }
}
