//! What the demo model is taught: tables of plain facts, and nothing computed.
//!
//! Names of more than one word are joined by a hyphen, so that each is one token. No two places
//! share a city name: a name such as Portland stands for one state only.

/// A US state, or a country, with what can be asked about it.
#[derive(Debug)]
pub struct Place {
    pub name: &'static str,
    pub capital: &'static str,
    /// Relations other than the capital, and their values.
    pub attributes: &'static [(&'static str, &'static str)],
    /// Cities other than the capital. The first is held out of two-hop sentences if `held_out`.
    pub cities: &'static [&'static str],
    pub held_out: bool,
}

macro_rules! state {
    ($held:expr, $name:expr, $capital:expr, $code:expr, $region:expr, $cities:expr) => {
        Place {
            name: $name,
            capital: $capital,
            attributes: &[("code", $code), ("region", $region)],
            cities: &$cities,
            held_out: $held,
        }
    };
}

macro_rules! country {
    ($held:expr, $name:expr, $capital:expr, $language:expr, $currency:expr, $continent:expr, $cities:expr) => {
        Place {
            name: $name,
            capital: $capital,
            attributes: &[("language", $language), ("currency", $currency), ("continent", $continent)],
            cities: &$cities,
            held_out: $held,
        }
    };
}

#[rustfmt::skip]
pub static STATES: [Place; 24] = [
    state!(true, "Texas", "Austin", "TX", "South", ["Dallas", "Houston", "San-Antonio", "El-Paso", "Fort-Worth", "Lubbock"]),
    state!(true, "California", "Sacramento", "CA", "West", ["Oakland", "Los-Angeles", "San-Francisco", "San-Diego", "Fresno", "San-Jose"]),
    state!(true, "Florida", "Tallahassee", "FL", "South", ["Miami", "Orlando", "Tampa", "Jacksonville", "Pensacola"]),
    state!(true, "New-York", "Albany", "NY", "Northeast", ["Buffalo", "Rochester", "Syracuse", "Yonkers", "Utica"]),
    state!(true, "Illinois", "Springfield", "IL", "Midwest", ["Chicago", "Peoria", "Rockford", "Naperville", "Joliet"]),
    state!(true, "Ohio", "Columbus", "OH", "Midwest", ["Cleveland", "Cincinnati", "Toledo", "Akron", "Dayton"]),
    state!(true, "Georgia", "Atlanta", "GA", "South", ["Savannah", "Augusta", "Macon", "Athens", "Valdosta"]),
    state!(true, "Washington", "Olympia", "WA", "West", ["Seattle", "Spokane", "Tacoma", "Bellevue", "Yakima"]),
    state!(true, "Oregon", "Salem", "OR", "West", ["Portland", "Eugene", "Bend", "Medford", "Gresham"]),
    state!(true, "Nevada", "Carson-City", "NV", "West", ["Reno", "Las-Vegas", "Henderson", "Sparks", "Elko"]),
    state!(true, "Arizona", "Phoenix", "AZ", "West", ["Tucson", "Mesa", "Flagstaff", "Tempe", "Yuma"]),
    state!(true, "Colorado", "Denver", "CO", "West", ["Boulder", "Aurora", "Pueblo", "Durango", "Greeley"]),
    state!(true, "Utah", "Salt-Lake-City", "UT", "West", ["Provo", "Ogden", "Moab", "Logan", "Orem"]),
    state!(true, "Michigan", "Lansing", "MI", "Midwest", ["Detroit", "Flint", "Ann-Arbor", "Grand-Rapids", "Kalamazoo"]),
    state!(true, "Tennessee", "Nashville", "TN", "South", ["Memphis", "Knoxville", "Chattanooga", "Clarksville", "Murfreesboro"]),
    state!(true, "Louisiana", "Baton-Rouge", "LA", "South", ["New-Orleans", "Shreveport", "Lafayette", "Monroe", "Houma"]),
    state!(true, "Massachusetts", "Boston", "MA", "Northeast", ["Worcester", "Lowell", "Cambridge", "Quincy", "Framingham"]),
    state!(true, "Pennsylvania", "Harrisburg", "PA", "Northeast", ["Pittsburgh", "Philadelphia", "Erie", "Scranton", "Allentown"]),
    state!(true, "Virginia", "Richmond", "VA", "South", ["Norfolk", "Roanoke", "Arlington", "Lynchburg", "Chesapeake"]),
    state!(true, "Alabama", "Montgomery", "AL", "South", ["Huntsville", "Birmingham", "Mobile", "Tuscaloosa", "Dothan"]),
    state!(false, "Hawaii", "Honolulu", "HI", "West", ["Hilo", "Kailua", "Lahaina", "Kihei"]),
    state!(false, "Alaska", "Juneau", "AK", "West", ["Anchorage", "Fairbanks", "Sitka", "Ketchikan", "Nome"]),
    state!(false, "Minnesota", "Saint-Paul", "MN", "Midwest", ["Minneapolis", "Duluth", "Bloomington", "Mankato", "Moorhead"]),
    state!(false, "Missouri", "Jefferson-City", "MO", "Midwest", ["Saint-Louis", "Kansas-City", "Branson", "Independence", "Joplin"]),
];

#[rustfmt::skip]
pub static COUNTRIES: [Place; 12] = [
    country!(true, "France", "Paris", "French", "euro", "Europe", ["Lyon", "Marseille", "Nice", "Toulouse", "Bordeaux"]),
    country!(true, "Germany", "Berlin", "German", "euro", "Europe", ["Munich", "Hamburg", "Frankfurt", "Cologne", "Dresden"]),
    country!(true, "Spain", "Madrid", "Spanish", "euro", "Europe", ["Barcelona", "Seville", "Valencia", "Bilbao", "Malaga"]),
    country!(true, "Italy", "Rome", "Italian", "euro", "Europe", ["Milan", "Naples", "Turin", "Venice", "Florence"]),
    country!(true, "Britain", "London", "English", "pound", "Europe", ["Manchester", "Liverpool", "Leeds", "Glasgow", "Bristol"]),
    country!(true, "Russia", "Moscow", "Russian", "ruble", "Europe", ["Kazan", "Omsk", "Samara", "Sochi", "Novosibirsk"]),
    country!(true, "Japan", "Tokyo", "Japanese", "yen", "Asia", ["Osaka", "Kyoto", "Nagoya", "Sapporo", "Kobe"]),
    country!(false, "China", "Beijing", "Chinese", "yuan", "Asia", ["Shanghai", "Shenzhen", "Wuhan", "Chengdu", "Guangzhou"]),
    country!(true, "India", "New-Delhi", "Hindi", "rupee", "Asia", ["Mumbai", "Chennai", "Kolkata", "Bangalore", "Jaipur"]),
    country!(false, "Brazil", "Brasilia", "Portuguese", "real", "South-America", ["Salvador", "Recife", "Fortaleza", "Manaus", "Santos"]),
    country!(false, "Egypt", "Cairo", "Arabic", "pound", "Africa", ["Alexandria", "Luxor", "Aswan", "Giza", "Suez"]),
    country!(false, "Mexico", "Mexico-City", "Spanish", "peso", "North-America", ["Cancun", "Monterrey", "Guadalajara", "Puebla", "Tijuana"]),
];

/// The languages of [`ANTONYMS`], in the order of its columns.
pub static LANGUAGES: [&str; 3] = ["English", "French", "Spanish"];

/// Pairs of opposites, one pair a language.
#[rustfmt::skip]
pub static ANTONYMS: [[(&str, &str); 3]; 16] = [
    [("big", "small"), ("grand", "petit"), ("grande", "pequeño")],
    [("hot", "cold"), ("chaud", "froid"), ("caliente", "frío")],
    [("old", "new"), ("vieux", "nouveau"), ("viejo", "nuevo")],
    [("good", "bad"), ("bon", "mauvais"), ("bueno", "malo")],
    [("open", "closed"), ("ouvert", "fermé"), ("abierto", "cerrado")],
    [("full", "empty"), ("plein", "vide"), ("lleno", "vacío")],
    [("near", "far"), ("proche", "loin"), ("cerca", "lejos")],
    [("rich", "poor"), ("riche", "pauvre"), ("rico", "pobre")],
    [("fast", "slow"), ("rapide", "lent"), ("rápido", "lento")],
    [("strong", "weak"), ("fort", "faible"), ("fuerte", "débil")],
    [("light", "dark"), ("clair", "sombre"), ("claro", "oscuro")],
    [("high", "low"), ("haut", "bas"), ("alto", "bajo")],
    [("wet", "dry"), ("mouillé", "sec"), ("mojado", "seco")],
    [("clean", "dirty"), ("propre", "sale"), ("limpio", "sucio")],
    [("hard", "soft"), ("dur", "mou"), ("duro", "blando")],
    [("happy", "sad"), ("heureux", "triste"), ("feliz", "infeliz")],
];

pub static NAMES: [&str; 14] = [
    "Mary", "John", "Anna", "Peter", "Lucy", "Tom", "Emma", "Paul", "Sara", "David", "Alice", "Mark", "Julia", "James",
];

pub static SHOPS: [&str; 4] = ["shop", "park", "school", "office"];

pub static GIFTS: [&str; 4] = ["drink", "book", "ball", "letter"];

/// Nouns with their plurals, for subjects that a verb must agree with.
#[rustfmt::skip]
pub static NOUNS: [(&str, &str); 6] = [
    ("key", "keys"), ("box", "boxes"), ("door", "doors"),
    ("cabinet", "cabinets"), ("lamp", "lamps"), ("table", "tables"),
];

pub static DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

#[rustfmt::skip]
pub static MONTHS: [&str; 12] = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
];
