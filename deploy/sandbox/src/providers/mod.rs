//! The providers of the sandbox. A new one is a file with its `PROVIDER`, its `mod` here and its line in the list.

mod apollo;
mod realestate;
mod tracerfy;
mod trestle;
mod twilio;

use crate::provider::Provider;

/// In the order in which `luci sandbox` prints them.
pub static PROVIDERS: &[&Provider] =
    &[&apollo::PROVIDER, &realestate::PROVIDER, &tracerfy::PROVIDER, &trestle::PROVIDER, &twilio::PROVIDER];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_matches_two_routes() {
        let routes = || PROVIDERS.iter().flat_map(|provider| provider.routes);
        for route in routes() {
            let matching: Vec<&str> =
                routes().filter(|other| other.tail(route.path).is_some()).map(|r| r.path).collect();
            assert_eq!(matching, [route.path]);
        }
    }
}
