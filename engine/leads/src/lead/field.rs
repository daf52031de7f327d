//! The fields that a column of a file can be mapped to, and the headers that mean them.

use serde::{Deserialize, Serialize};

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal: [$($variant:literal),*]),* $(,)?) => {
        /// A field that a column can be mapped to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[$doc])* $name),* }

        impl Field {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Folded headers, the preferred one first. Those of an address are also known with a prefix (`business city`).
            pub const fn variants(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($variant),*]),* }
            }
        }
    };
}

fields! {
    CompanyName = "company_name": ["companyname", "company", "businessname", "business", "organization", "organizationname", "organization1name", "accountname", "companyaccount", "personorganization", "associatedcompany", "organisation", "organisationname", "companyorganisation", "companyorganization", "dealorganization", "companynameforemails"],
    ContactName = "contact_name": ["contactname", "contact", "ownername", "fullname", "keyperson", "principalname", "personname", "contactperson", "dealcontactperson", "customername", "customerfullname", "clientname"],
    FirstName = "first_name": ["firstname", "first", "givenname", "fname", "forename", "contactfirst", "contactfirstname", "ownerfirstname", "keypersonfirstname", "principalfirstname", "personfirstname", "owner1firstname", "executivefirstname", "customerfirstname"],
    LastName = "last_name": ["lastname", "last", "familyname", "surname", "lname", "contactlast", "contactlastname", "ownerlastname", "keypersonlastname", "principallastname", "personlastname", "owner1lastname", "executivelastname", "customerlastname"],
    Title = "title": ["jobtitle", "title", "position", "organizationtitle", "organization1title", "executivetitle"],
    Email = "email": ["email", "emailaddress", "primaryemail", "workemail", "businessemail", "personalemail", "homeemail", "otheremail", "secondaryemail", "tertiaryemail", "additionalemailaddresses", "personemail", "personemailwork", "personemailhome", "personemailother", "emailid", "emailwork", "emailhome", "contactemail", "customeremail"],
    Phone = "phone": ["phone", "phonenumber", "telephone", "telephonenumber", "tel", "primaryphone", "workphone", "businessphone", "officephone", "homephone", "otherphone", "mainphone", "secondaryphone", "companyphone", "companymainphone", "corporatephone", "companyhqphone", "landline", "firstphone", "personphone", "personphonework", "personphonehome", "personphoneother", "carphone", "ph", "phoneno", "telno", "telephoneno", "contactno", "contactnumber", "contactphone", "phonework", "phonehome", "phonenumbercombined", "workphonenumber", "businessphonenumber", "officephonenumber", "homephonenumber", "companyphonenumber", "customerphone"],
    DirectPhone = "direct_phone": ["directphone", "direct", "directphonenumber", "workdirectphone", "directdial"],
    MobilePhone = "mobile_phone": ["cellphone", "cell", "mobile", "mobilephone", "mobilenumber", "mobilephonenumber", "cellnumber", "cellphonenumber", "personphonemobile", "mob", "mobileno", "cellno", "phonemobile", "phonecell", "whatsapp", "whatsappnumber", "whatsappphonenumber"],
    LinkedinUrl = "linkedin_url": ["linkedinurl", "linkedin", "linkedinprofile", "linkedinprofileurl", "personlinkedinurl", "linkedincontactprofileurl"],
    Address = "address": ["address", "streetaddress", "street", "address1", "addressline1"],
    Address2 = "address2": ["street2", "address2", "addressline2", "extendedaddress", "suite", "unit", "apt"],
    City = "city": ["city", "town", "cityname", "citytown", "citytownvillagelocalityofaddress", "citytownofaddress"],
    State = "state": ["state", "st", "stateprovince", "stateregion", "region", "province", "stateprovincetextonly", "provincestate", "statecode", "provincecode", "statecountyofaddress"],
    Zip = "zip": ["zip", "zipcode", "postalcode", "postcode", "zippostalcode", "postalzip", "zippostal", "zippostalcodeofaddress"],
    County = "county": ["county"],
    Country = "country": ["country", "countryregion", "countrycode", "countrytextonly", "countryofaddress"],
    AreaCode = "area_code": ["areacode", "phoneareacode"],
    Website = "website": ["website", "websiteurl", "webaddress", "web", "url", "companywebsite", "website1value", "companydomainname"],
    Industry = "industry": ["industry", "businesstype", "primaryindustry"],
    SicCode = "sic_code": ["siccode", "sic", "primarysic", "primarysiccode", "siccode1", "sic1"],
    SicDescription = "sic_description": ["sicdescription", "sicdesc", "primarysicdescription"],
    NaicsCode = "naics_code": ["naicscode", "naics", "naicscode1", "naics1"],
    NaicsDescription = "naics_description": ["naicsdescription", "naicsdesc"],
    EmployeeCount = "employee_count": ["employees", "numberofemployees", "numemployees", "noofemployees", "employeecount", "empsize", "employeerange"],
    AnnualRevenue = "annual_revenue": ["revenue", "annualrevenue", "sales", "salesvolume", "annualsales"],
    YearEstablished = "year_established": ["yearestablished", "yearfounded", "foundedyear"],
    HomeValue = "home_value": ["homevalue", "propertyvalue"],
    Income = "income": ["income", "estimatedincome"],
    Age = "age": ["age"],
    HomeOwner = "home_owner": ["homeowner", "owner"],
    LengthOfResidence = "length_of_residence": ["lengthofresidence", "yearsataddress", "yearsowned"],
    Properties = "properties": ["propertycount", "numberofproperties", "propertiesowned"],
    Equity = "equity": ["totalequity", "equity"],
    OptInDate = "opt_in_date": ["optindate", "signupdate"],
    OptInSource = "opt_in_source": ["optinsource", "signupsource", "source"],
    IpAddress = "ip_address": ["ipaddress", "ip"],
    MailingAddress = "mailing_address": [],
    MailingCity = "mailing_city": [],
    MailingState = "mailing_state": [],
    MailingZip = "mailing_zip": [],
}

impl Field {
    /// Whether several columns, and several values in a cell, are kept.
    pub const fn multiple(self) -> bool {
        self.is_phone() || matches!(self, Self::Email)
    }

    pub const fn is_phone(self) -> bool {
        matches!(self, Self::Phone | Self::DirectPhone | Self::MobilePhone)
    }

    /// The field that `as_str` names.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.as_str() == name)
    }
}
