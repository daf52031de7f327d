//! Names, titles, trades and places of sample leads.

pub const FIRST: [&str; 24] = [
    "Ana", "Luis", "Mary", "James", "Wei", "Fatima", "John", "Olga", "Renée", "Carlos", "Aisha", "Peter", "Linda",
    "Omar", "Grace", "Viktor", "Hannah", "Diego", "Priya", "Tom", "Elena", "Marcus", "Sofia", "George",
];
pub const LAST: [&str; 24] = [
    "Rivera", "Smith", "O'Brien", "Chen", "Kowalski", "Nguyen", "Garcia", "Johnson", "Muñoz", "Patel", "Russo",
    "Cohen", "Williams", "Schmidt", "Haddad", "Okafor", "Brown", "Lopez", "Kim", "Ivanova", "Murphy", "Davis", "Singh",
    "Martin",
];
pub const TITLES: [&str; 10] = [
    "Owner",
    "President",
    "Office Manager",
    "CEO",
    "Vice President",
    "Partner",
    "Foreman",
    "Founder",
    "Director of Operations",
    "Sales Manager",
];
pub const FORMS: [&str; 6] = ["Inc", "LLC", "Corp", "& Sons", "Group", "Co"];
/// Name, SIC code.
pub const TRADES: [(&str, &str); 16] = [
    ("Plumbing", "1711"),
    ("Electric", "1731"),
    ("Roofing", "1761"),
    ("Paving", "1611"),
    ("Landscaping", "0782"),
    ("Auto Repair", "7538"),
    ("Trucking", "4212"),
    ("Machining", "3599"),
    ("Pizza", "5812"),
    ("Dental", "8021"),
    ("Realty", "6531"),
    ("Insurance", "6411"),
    ("Software", "7372"),
    ("Hotel", "7011"),
    ("Salon", "7231"),
    ("Foods", "5411"),
];
/// City, state, ZIP, county.
pub const PLACES: [(&str, &str, &str, &str); 12] = [
    ("New York", "NY", "10001", "New York County"),
    ("Brooklyn", "NY", "11201", "Kings County"),
    ("Buffalo", "New York", "14201", "Erie County"),
    ("Albany", "NY", "12207", "Albany"),
    ("Rochester", "NY", "14604", "Monroe County"),
    ("Syracuse", "ny", "13202", "Onondaga"),
    ("Newark", "NJ", "7102", "Essex County"),
    ("Boston", "MA", "2108", "Suffolk County"),
    ("Miami", "FL", "33101", "Miami-Dade County"),
    ("Austin", "TX", "78701", "Travis County"),
    ("Phoenix", "AZ", "85003", "Maricopa"),
    ("Atlanta", "GA", "30303", "Fulton County"),
];
pub const STREETS: [&str; 8] =
    ["Main Street", "Broadway", "Elm St", "Park Ave", "2nd Street", "Maple Avenue", "Washington Blvd", "Church Rd"];
pub const EMPLOYEES: [&str; 8] = ["1-4", "5-9", "10-19", "20-49", "50-99", "100-249", "7", "35"];
pub const REVENUES: [&str; 8] =
    ["$250K", "$500,000 - $1 Million", "$1.5M", "2,400,000", "$5-10M", "$12M", "under $500K", "$3 million"];
pub const AREAS: [u32; 20] =
    [212, 315, 332, 347, 516, 518, 585, 607, 631, 646, 716, 718, 845, 914, 917, 929, 305, 404, 512, 602];
