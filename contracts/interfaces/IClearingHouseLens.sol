// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AgreementTerms, Entry, MerchantStatus, ProgramTotals} from "./IClearingHouse.sol";
import {Predecessor, Stage} from "./IClearingHouseSuccession.sol";

// Slither takes the two reads `name` and `symbol` of points for variables that parameters of the same name would hide.
// slither-disable-start shadowing-local

/// @title IClearingHouseLens
/// @notice What the clearing house answers by unpacking the words of its storage. Ask the house itself: it passes each question that
/// it has no function for to its lens (`IClearingHouse.lens`), which reads the house and can change nothing.
interface IClearingHouseLens {
    // ---------------------------------------------------------------- registry

    /// @notice A merchant's status, position and credit limit, or zeros if no merchant has this number.
    function merchantOf(uint32 merchant)
        external
        view
        returns (MerchantStatus status, int96 positionMicros, uint96 creditLimitMicros);

    /// @notice The merchant and the window of a key, or zeros if the key is unknown.
    function signerOf(address key) external view returns (uint32 merchant, uint40 validFrom, uint40 validUntil);

    /// @notice Whether a merchant's nonce is used up.
    function nonceUsed(uint32 merchant, uint48 nonce) external view returns (bool);

    /// @notice A program's merchant, pause, code and name, or zeros if no program has this number.
    function programOf(uint32 program) external view returns (uint32 merchant, bool paused, bytes32 code, bytes32 name);

    /// @notice The most points that a program may issue in a network day, or 0 for any number; how many it has issued today under the
    /// cap; and, unless `nextDay` is 0, what counts from that day on. Zeros if no program has this number.
    function issuanceCapOf(uint32 program)
        external
        view
        returns (uint64 points, uint64 usedToday, uint64 nextPoints, uint32 nextDay);

    // ---------------------------------------------------------------- agreements

    // Both revert with `UnknownAgreement` if no agreement has the number.

    /// @notice The terms. `validUntil` reflects supersession and termination. `document` is 0, because only the event has it.
    function agreementOf(uint32 agreement) external view returns (AgreementTerms memory terms);

    /// @notice Source points burnt under `agreement` on the current network day, and not given back by a reversal since.
    function usedToday(uint32 agreement) external view returns (uint64 points);

    // ---------------------------------------------------------------- points

    // ERC-20 style reads, one program at a time. All of them revert with `UnknownProgram` if no program has the number.

    /// @notice A member's points in a program.
    function balanceOf(address member, uint32 program) external view returns (uint64 points);

    /// @notice The program's points in circulation.
    function totalSupply(uint32 program) external view returns (uint64 points);

    /// @notice The program's totals over its whole life.
    function totalsOf(uint32 program) external view returns (ProgramTotals memory totals);

    /// @notice The program's name.
    function name(uint32 program) external view returns (string memory);

    /// @notice The program's code.
    function symbol(uint32 program) external view returns (string memory);

    /// @notice Always 0: points are whole numbers.
    function decimals(uint32 program) external view returns (uint8);

    // ---------------------------------------------------------------- succession

    /// @notice In which stage the house is, whose state it took over (zeros if it had no predecessor), and how many leaves of that it has.
    function successionOf() external view returns (Stage stage, Predecessor memory predecessor, uint32 imported);

    /// @notice The sum of the positions of merchants `first` to `last`, in micros. The sum of all equals `settlementFunds`.
    function positionsOf(uint32 first, uint32 last) external view returns (int256 micros);

    // ---------------------------------------------------------------- entries and orders

    /// @notice Whether `entry` was posted: the proof shows that its leaf belongs to the root of its batch.
    function verifyEntry(Entry calldata entry, bytes32[] calldata proof) external view returns (bool);

    /// @notice The digest that a merchant signs for `order`, which is packed as in `execute`.
    function digestOf(bytes calldata order) external view returns (bytes32);

    /// @notice The EIP-712 domain, for wallets that ask (ERC-5267).
    /// @dev Written out, because the interface of ERC-5267 would add an event that is never emitted.
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory title,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );

    /// @notice Whether the house has the functions of an interface (ERC-165): of this one, of `IClearingHouse`, of ERC-165 itself.
    function supportsInterface(bytes4 id) external view returns (bool);
}
// slither-disable-end shadowing-local
