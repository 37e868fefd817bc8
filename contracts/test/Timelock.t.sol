// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

import {IClearingHouse, Role} from "../interfaces/IClearingHouse.sol";
import {Network} from "./support/Network.sol";

/// @notice The owner behind OpenZeppelin's timelock: whoever proposes waits, everybody sees it, and it can be called off.
contract TimelockTest is Network {
    uint256 private constant DELAY = 2 days;

    TimelockController private timelock;
    address private proposer = makeAddr("proposer"); // a multi-signature wallet, on a real chain
    address private executor = makeAddr("executor");

    function setUp() public override {
        super.setUp();
        address[] memory proposers = new address[](1);
        address[] memory executors = new address[](1);
        (proposers[0], executors[0]) = (proposer, executor);
        timelock = new TimelockController(DELAY, proposers, executors, address(0));
        vm.prank(admin);
        Ownable2Step(address(house)).transferOwnership(address(timelock));
        _perform(abi.encodeCall(Ownable2Step.acceptOwnership, ()));
    }

    function _schedule(bytes memory call) private returns (bytes32 id) {
        vm.prank(proposer);
        timelock.schedule(address(house), 0, call, 0, 0, DELAY);
        return timelock.hashOperation(address(house), 0, call, 0, 0);
    }

    function _run(bytes memory call) private {
        vm.prank(executor);
        timelock.execute(address(house), 0, call, 0, 0);
    }

    function _perform(bytes memory call) private {
        _schedule(call);
        vm.warp(_now() + DELAY);
        _run(call);
    }

    function _unexpectedState(bytes32 id) private view returns (bytes memory) {
        bytes32 ready = bytes32(uint256(1) << uint256(TimelockController.OperationState.Ready));
        return abi.encodeWithSelector(TimelockController.TimelockUnexpectedOperationState.selector, id, ready);
    }

    function test_TheTimelockOwnsTheHouseAndItsFormerOwnerDoesNot() public {
        assertEq(Ownable(address(house)).owner(), address(timelock));
        address[3] memory others = [admin, proposer, executor];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            house.setRole(Role.Treasury, stranger, true);
        }
    }

    function test_RoleChangesAfterTheDelayAndNotBefore() public {
        bytes memory call = abi.encodeCall(IClearingHouse.setRole, (Role.Treasury, stranger, true));
        bytes32 id = _schedule(call);
        vm.expectRevert(_unexpectedState(id));
        _run(call);
        vm.warp(_now() + DELAY - 1);
        vm.expectRevert(_unexpectedState(id));
        _run(call);
        assertFalse(house.hasRole(Role.Treasury, stranger));
        vm.warp(_now() + 1);
        _run(call);
        assertTrue(house.hasRole(Role.Treasury, stranger));
        vm.expectRevert(_unexpectedState(id)); // and once only
        _run(call);
    }

    function test_NobodySchedulesWithAShorterDelay() public {
        bytes memory call = abi.encodeCall(IClearingHouse.setRole, (Role.Treasury, stranger, true));
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(TimelockController.TimelockInsufficientDelay.selector, DELAY - 1, DELAY));
        timelock.schedule(address(house), 0, call, 0, 0, DELAY - 1);
    }

    function test_OnlyTheProposerSchedulesAndOnlyTheExecutorExecutes() public {
        bytes memory call = abi.encodeCall(IClearingHouse.recoverSigner, (CINEMA, bob));
        address[3] memory others = [admin, executor, stranger];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
            timelock.schedule(address(house), 0, call, 0, 0, DELAY);
        }
        _schedule(call);
        vm.warp(_now() + DELAY);
        address[3] memory neither = [admin, proposer, stranger];
        for (uint256 i = 0; i < neither.length; ++i) {
            vm.prank(neither[i]);
            vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
            timelock.execute(address(house), 0, call, 0, 0);
        }
        _run(call);
        (uint32 merchant,,) = lens.signerOf(bob);
        assertEq(merchant, CINEMA);
    }

    function test_WhatWasProposedCanBeCalledOff() public {
        bytes memory call = abi.encodeCall(IClearingHouse.setRole, (Role.Treasury, stranger, true));
        bytes32 id = _schedule(call);
        vm.prank(stranger);
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        timelock.cancel(id);
        vm.prank(proposer);
        timelock.cancel(id);
        vm.warp(_now() + DELAY);
        vm.expectRevert(_unexpectedState(id));
        _run(call);
    }

    function test_TheHouseMovesOnToAnotherOwnerInTwoSteps() public {
        _perform(abi.encodeCall(Ownable2Step.transferOwnership, (bob)));
        assertEq(Ownable(address(house)).owner(), address(timelock));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger));
        Ownable2Step(address(house)).acceptOwnership();
        vm.prank(bob);
        Ownable2Step(address(house)).acceptOwnership();
        assertEq(Ownable(address(house)).owner(), bob);
    }

    /// @dev Not even the owner itself can leave the house without one: not by renouncing, nor by an offer to nobody.
    function test_TheHouseIsNeverWithoutAnOwner() public {
        bytes memory call = abi.encodeCall(Ownable.renounceOwnership, ());
        _schedule(call);
        vm.warp(_now() + DELAY);
        vm.expectRevert(IClearingHouse.OwnerNeeded.selector);
        _run(call);
        _perform(abi.encodeCall(Ownable2Step.transferOwnership, (bob)));
        _perform(abi.encodeCall(Ownable2Step.transferOwnership, (address(0)))); // calls off the offer
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, bob));
        Ownable2Step(address(house)).acceptOwnership();
        assertEq(Ownable(address(house)).owner(), address(timelock));
    }
}
